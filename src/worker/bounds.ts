/** What a worker allows each of its clients, assembled: the parts, their counters, and the lines in the log, of which a client cannot cause many. */
import type { Socket as EngineSocket, Transport } from "engine.io";
import type { Config } from "../config/config.js";
import type { BoundedLog } from "../telemetry/bounded-log.js";
import type { ClientRefusal, WorkerMetrics } from "../telemetry/worker-metrics.js";
import { Backlog } from "./backlog.js";
import type { BadPacket } from "./bounded-decoder.js";
import { ClientBounds } from "./client-bounds.js";
import { PollingBounds } from "./polling-bounds.js";
import { RoomBound } from "./room-bound.js";
import { UnreadAnswers } from "./unread-answers.js";
import { payloadBytes } from "./write-frame.js";

export interface Bounds {
  readonly backlog: Backlog;
  readonly polling: PollingBounds;
  readonly clients: ClientBounds;
  readonly rooms: RoomBound;
  onBadPacket(why: BadPacket): void;
}

export interface BoundsOptions {
  readonly config: Pick<Config, "client" | "socketio">;
  readonly metrics: Pick<WorkerMetrics, "slowConsumers" | "clientRefusals" | "tally">;
  readonly log: BoundedLog;
  /** The session that a transport belongs to. */
  readonly sessionOf: (transport: Transport) => EngineSocket | undefined;
}

/** Before a message in its frame: the type of Engine.IO's packet, which is not counted. */
const ENGINE_TYPE_BYTES = 1;

export function createBounds({ config, metrics, log, sessionOf }: BoundsOptions): Bounds {
  const { client: limits, socketio } = config;
  const refuse = (reason: ClientRefusal): void => metrics.clientRefusals.inc({ reason });
  // Without progress for as long as a client may be silent, it counts as gone.
  const unread = new UnreadAnswers(socketio.pingInterval + socketio.pingTimeout);
  const backlog = new Backlog(limits, unread, (session, cause, waiting) => {
    metrics.slowConsumers.inc({ cause });
    const { remoteAddress, transport } = session;
    log.warn(
      { cause, remoteAddress, transport: transport.name, ...waiting },
      "a client that does not read was cut off",
    );
  });
  const polling = new PollingBounds(limits, unread, {
    onUnread: (transport) => {
      const session = sessionOf(transport);
      if (session !== undefined) backlog.cutOff(session, "unread_answers");
    },
    onTooManyPackets: () => refuse("too_many_packets"),
    onTooLong: () => refuse("message_too_long"),
  });
  const clients = new ClientBounds(limits, backlog, {
    onRefused: (reason, { remoteAddress }) => {
      refuse(reason);
      log.warn({ reason, remoteAddress }, "a client is over one of its bounds");
    },
    onVolatileDropped: () => metrics.tally.volatileDropped++,
    onFrame: (frame) => {
      metrics.tally.messagesSent++;
      metrics.tally.bytesSent += payloadBytes(frame) - ENGINE_TYPE_BYTES;
    },
  });
  const rooms = new RoomBound(limits.maxRooms, (socket) => {
    refuse("too_many_rooms");
    log.warn({ socket, maxRooms: limits.maxRooms }, "a join was refused: the socket would be in too many rooms");
  });
  return { backlog, polling, clients, rooms, onBadPacket: refuse };
}
