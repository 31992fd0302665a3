/**
 * Bounds on what one client makes a worker do and keep, above Engine.IO: namespaces, events a second, acks awaited, and which volatile messages may
 * wait for it. The seam is a namespace's `_add`, where a client and later its socket come by.
 */
import type { Socket as EngineSocket } from "engine.io";
import type { ClientRefusal } from "../telemetry/worker-metrics.js";
import { plain } from "../lib/plain.js";
import { writeDirectly } from "./direct-frames.js";
import { EventBudget, type EventLimits } from "./event-budget.js";
import {
  PacketType,
  type BoundedSocket,
  type ClientInternals,
  type JoinedNamespace,
  type Packet,
  type PacketOptions,
} from "./internals.js";
import { PendingAcks, type AckBound } from "./pending-acks.js";

export interface ClientLimits extends EventLimits {
  readonly maxNamespaces: number;
  readonly maxPendingAcks: number;
}

export interface ClientBoundsHandler {
  onRefused(reason: ClientRefusal, session: EngineSocket): void;
  onVolatileDropped(): void;
  /** A broadcast has gone the short way ({@link writeDirectly}). */
  onFrame(frame: readonly Buffer[]): void;
}

export interface VolatileRoom {
  takesVolatile(session: EngineSocket): boolean;
}

const EVENTS = Symbol("events");

/** With its budget from its first event on. */
type Budgeted = BoundedSocket & { [EVENTS]?: EventBudget };

const JOINING = Symbol("joining");

/** With the number of namespaces it is joining: between its request and the end of the middlewares. */
type Joining = ClientInternals & { [JOINING]?: number };

const RAN = Symbol("ran");

/** A socket, marked once its middlewares are through. */
type Ran = object & { [RAN]?: true };

export class ClientBounds {
  readonly #limits: ClientLimits;
  readonly #handler: ClientBoundsHandler;
  readonly #writeToEngine: ClientInternals["writeToEngine"];
  readonly #onevent: BoundedSocket["onevent"];
  readonly #ackBound: AckBound;

  constructor(limits: ClientLimits, backlog: VolatileRoom, handler: ClientBoundsHandler) {
    this.#limits = limits;
    this.#handler = handler;
    this.#ackBound = {
      maxPendingAcks: limits.maxPendingAcks,
      onGivenUp: (session) => handler.onRefused("too_many_acks", session),
    };

    this.#writeToEngine = function (this: ClientInternals, packets: unknown, options: Partial<PacketOptions>): void {
      const { wsPreEncodedFrame: frame } = options;
      if (frame !== undefined && writeDirectly(this.conn, frame)) {
        handler.onFrame(frame);
      } else if (options.volatile !== true || this.conn.transport.writable) {
        plain(this).writeToEngine.call(this, packets, options);
      } else if (backlog.takesVolatile(this.conn)) {
        plain(this).writeToEngine.call(this, packets, { ...options, volatile: false });
      } else {
        handler.onVolatileDropped();
      }
    };

    this.#onevent = function (this: Budgeted, packet: Packet): void {
      const nowMs = performance.now();
      const verdict = (this[EVENTS] ??= new EventBudget(limits)).take(nowMs);
      if (verdict === "taken") {
        plain(this).onevent.call(this, packet);
        return;
      }
      // What was read together with the event for which it was disconnected.
      if (!this.connected) return;
      handler.onRefused(verdict === "flood" ? "event_flood" : "too_many_events", this.client.conn);
      if (verdict === "flood") this.disconnect(true);
      else if (packet.id !== undefined)
        this.packet({ type: PacketType.ACK, id: packet.id, data: [{ error: "too_many_events" }] });
    };
  }

  /** To be called before anybody joins it. */
  guard(nsp: JoinedNamespace): void {
    nsp.run = (socket, done) => {
      plain(nsp).run.call(nsp, socket, (error) => {
        (socket as Ran)[RAN] = true;
        this.#settle(socket.client);
        done(error);
      });
    };
    nsp._add = async (client, auth, connected) => {
      if (!this.#mayJoin(client, nsp.name)) return;
      client.writeToEngine = this.#writeToEngine;
      await plain(nsp)._add.call(nsp, client, auth, (socket) => {
        // One that was recovered may have had none to go through.
        if ((socket as Ran)[RAN] !== true) this.#settle(client);
        this.#guardSocket(socket);
        connected(socket);
      });
    };
  }

  #mayJoin(client: Joining, nsp: string): boolean {
    const joining = client[JOINING] ?? 0;
    if (client.sockets.size + joining < this.#limits.maxNamespaces) {
      client[JOINING] = joining + 1;
      return true;
    }
    this.#handler.onRefused("too_many_namespaces", client.conn);
    const message = "Too many namespaces";
    // Protocol 3 has a text where later ones have an object.
    const data = client.conn.protocol === 3 ? message : { message };
    client._packet({ type: PacketType.CONNECT_ERROR, nsp, data });
    return false;
  }

  #settle(client: Joining): void {
    client[JOINING] = Math.max(0, (client[JOINING] ?? 0) - 1);
  }

  #guardSocket(socket: BoundedSocket): void {
    socket.onevent = this.#onevent;
    const acks: BoundedSocket["acks"] = new PendingAcks(this.#ackBound, socket.client.conn);
    for (const [id, ack] of socket.acks) acks.set(id, ack);
    socket.acks = acks;
  }
}
