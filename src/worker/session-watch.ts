/**
 * Counts what happens to Engine.IO sessions: opened, closed and why, upgraded, refused, packets and bytes. Listens to Engine.IO's own events; the
 * listeners are shared by all sessions: they allocate nothing per session, and nothing per packet.
 */
import type { Server, Socket, Transport } from "engine.io";
import { countListeners, listenBesideFrames } from "./direct-frames.js";
import type { SessionReport } from "./session-report.js";

export type TransportName = "polling" | "websocket" | "webtransport";

export interface SessionCounters {
  opened(): void;
  closed(reason: string): void;
  upgraded(outcome: "completed" | "failed"): void;
  handshakeError(code: number): void;
  /** One Socket.IO message (an Engine.IO `message` packet). */
  received(bytes: number): void;
  sent(bytes: number): void;
  /** A client sent a message that is longer than it may be. */
  tooLong(): void;
}

/** What is told of packets that cannot leave at once. */
export interface KeptPackets {
  add(session: Socket, bytes: number): void;
  forget(session: Socket): void;
}

/** What ws says of a message that is too long, as Engine.IO hands it on. */
const TOO_LONG = "Max payload size exceeded";

interface Packet {
  readonly type: string;
  readonly data?: string | Buffer;
}

export class SessionWatch {
  readonly connections: Record<TransportName, number> = { polling: 0, websocket: 0, webtransport: 0 };

  /** @param report told of each session's beginning and end */
  constructor(engine: Server, counters: SessionCounters, kept: KeptPackets, report: SessionReport) {
    const { connections } = this;
    const onPacket = ({ type, data }: Packet): void => {
      if (type === "message") counters.received(sizeOf(data));
    };
    const onPacketCreate = function (this: Socket, { type, data }: Packet): void {
      const bytes = sizeOf(data);
      if (type === "message") counters.sent(bytes);
      if (!this.transport.writable) kept.add(this, bytes);
    };

    const onFailedUpgrade = (): void => counters.upgraded("failed");
    const onUpgrading = (next: Transport): void => {
      // A client may probe more than once.
      next.off("close", onFailedUpgrade).once("close", onFailedUpgrade);
    };
    const onUpgrade = (next: Transport): void => {
      next.off("close", onFailedUpgrade);
      counters.upgraded("completed");
      // The only transport that is left for another.
      connections.polling--;
      connections[nameOf(next)]++;
    };
    const onClose = function (this: Socket, reason: string, description?: unknown): void {
      connections[nameOf(this.transport)]--;
      kept.forget(this);
      if (description instanceof Error && description.message.endsWith(TOO_LONG)) counters.tooLong();
      counters.closed(reason);
      report.closed();
    };

    countListeners(engine);
    engine.on("connection", (socket: Socket) => {
      countListeners(socket);
      counters.opened();
      report.opened();
      connections[nameOf(socket.transport)]++;
      socket.on("packet", onPacket);
      listenBesideFrames(socket, "packetCreate", onPacketCreate);
      socket.on("close", onClose);
      if (socket.transport.name !== "polling") return;
      socket.on("upgrading", onUpgrading);
      socket.on("upgrade", onUpgrade);
    });
    listenBesideFrames(engine, "flush", (socket: Socket) => kept.forget(socket));
    engine.on("connection_error", ({ code }: { code: number }) => counters.handshakeError(code));
  }
}

const nameOf = (transport: Transport): TransportName => transport.name as TransportName;

function sizeOf(data: string | Buffer | undefined): number {
  if (data === undefined) return 0;
  return typeof data === "string" ? Buffer.byteLength(data) : data.byteLength;
}
