/**
 * The hub's adapter with recovery on: each event carries a claim behind its arguments, what clients that are away are to get is numbered, and sessions
 * are told of, given up and taken over. It costs nothing where recovery is off, for then {@link HubAdapter} is used as it is.
 */
import { Socket } from "socket.io";
import type { BroadcastFlags, BroadcastOptions, Room, Session, SocketId } from "socket.io-adapter";
import { MessageType } from "socket.io-adapter";
import { hasBinary } from "../lib/has-binary.js";
import { encodeEvent, encodePayload } from "../link/payload.js";
import { encodeOptions, HubAdapter, isShared, type AdapterOptions, type Namespace } from "./adapter.js";
import { messageFrame } from "./event-frame.js";
import type { EventOptions } from "./hub-port.js";
import {
  PacketType,
  type AdapterInternals,
  type NamespaceInternals,
  type Packet,
  type PacketOptions,
  type RecoverableSocket,
  type SocketInternals,
} from "./internals.js";
import type { Arrival } from "./recovery/arrival.js";
import { encodeForClient, packetOf, type EventContent } from "./recovery/event-content.js";
import type { LiveSession } from "./recovery/live-session.js";
import { isFor } from "./recovery/own-publications.js";
import type { Recovery } from "./recovery/recovery.js";
import { fromBytes, NO_DATA } from "./recovery/session-data.js";

/** @returns what `io.adapter()` takes, with recovery */
export function createRecoveryAdapter(
  options: AdapterOptions,
  recovery: Recovery,
): new (nsp: Namespace) => RecoveryAdapter {
  return class extends RecoveryAdapter {
    constructor(nsp: Namespace) {
      super(nsp, options, recovery);
      options.onNamespace(nsp);
    }
  };
}

export class RecoveryAdapter extends HubAdapter {
  readonly #recovery: Recovery;
  readonly #uncounted: AdapterOptions["uncounted"];
  /** By socket id. */
  readonly #sessions = new Map<string, LiveSession>();
  /** The socket whose `emit` is about to call {@link broadcast}. */
  #emitter: RecoverableSocket | undefined;

  constructor(nsp: NamespaceInternals, options: AdapterOptions, recovery: Recovery) {
    super(nsp, options);
    this.#uncounted = options.uncounted;
    this.#recovery = recovery;
  }

  override addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void {
    const before = this.sids.get(id);
    const joined = [...rooms].filter((room) => isShared(room) && before?.has(room) !== true);
    const refusal = super.addAll(id, rooms);
    if (refusal !== undefined) return refusal;
    const session = this.#sessions.get(id);
    const arrival = this.#arrivals.get(id);
    const socket = this.nsp.sockets.get(id);
    if (session !== undefined) {
      if (joined.length > 0) this.#reportJoins(session, joined);
    } else if (socket === undefined) {
      // Its middlewares run; what it joins before it is connected counts when it is, unless it is back.
      const added = joined.filter((room) => arrival?.rooms.has(room) === false);
      if (arrival !== undefined && added.length > 0) this.#recovery.sessions.join(arrival, added);
    } else if (arrival !== undefined) {
      this.#resume(socket, arrival);
    } else if (joined.includes(id)) {
      this.#open(socket);
    }
  }

  override del(id: SocketId, room: Room): void {
    const session = this.#sessions.get(id) ?? this.#arrivals.get(id);
    if (session !== undefined && this.sids.get(id)?.has(room) === true) this.#recovery.sessions.leave(session, room);
    void super.del(id, room);
  }

  override delAll(id: SocketId): void {
    const session = this.#sessions.get(id);
    if (session !== undefined) this.#recovery.sessions.end(session);
    super.delAll(id);
    const arrival = this.#arrivals.get(id);
    if (arrival === undefined) return;
    // Refused by a middleware, or the connection is gone.
    const isRefused = this.nsp._preConnectSockets.get(id)?.client.conn.readyState === "open";
    this.#recovery.giveUp(arrival, isRefused);
  }

  override persistSession({ sid }: Parameters<HubAdapter["persistSession"]>[0]): void {
    const session = this.#sessions.get(sid);
    if (session !== undefined) this.#recovery.sessions.left(session);
  }

  /** What the client has missed is written when it is connected: before that, it would keep it for ever where the connection is cut. */
  override async restoreSession(pid: string, offset: string): Promise<Session> {
    const arrival = await this.#recovery.restoring.ask(this.nsp.name, pid, offset);
    // The declared type leaves out what Socket.IO checks for.
    if (arrival === undefined) return null as unknown as Session;
    let data: unknown;
    try {
      data = fromBytes(arrival.data);
    } catch (error) {
      this.#recovery.giveUp(arrival, true);
      throw error;
    }
    // By then Socket.IO has made the socket.
    setImmediate(() => this.#attend(arrival));
    return { sid: arrival.id, pid, rooms: [...arrival.rooms], data, missedPackets: [] };
  }

  override broadcast(packet: Packet, opts: BroadcastOptions): Promise<void> {
    const emitter = this.#emitter;
    this.#emitter = undefined;
    if (emitter !== undefined && this.nsp.sockets.get(emitter.id) === emitter)
      this.#emitTo(emitter, packet, opts.flags ?? {});
    else if (packet.id === undefined) this.#emitToRooms(packet, opts);
    // With an id: the ack of a socket that is gone, or not there yet.
    return Promise.resolve();
  }

  override onEvent(args: string, { rooms, except, flags }: EventOptions, isLogged: boolean): void {
    const opts = { rooms: new Set(rooms), except: new Set(except), flags };
    const content = { args };
    if (isLogged) this.#keep(content, opts, args.length);
    this.#hand(content, opts);
  }

  override onDeliver(from: number, type: number, data: unknown, isLogged: boolean, bytes: number): void {
    const { packet, opts, requestId } = data as { packet: Packet; opts: EventOptions; requestId?: string };
    if (type !== (MessageType.BROADCAST as number) || requestId !== undefined) {
      super.onDeliver(from, type, data, isLogged, bytes);
      return;
    }
    const { rooms, except, flags } = opts;
    const options = { rooms: new Set(rooms), except: new Set(except), flags };
    if (isLogged) this.#keep({ packet }, options, bytes);
    this.#hand({ packet }, options);
  }

  get #arrivals(): ReadonlyMap<string, Arrival> {
    return this.#recovery.restoring.arrivals(this.nsp.name);
  }

  #reportJoins(session: LiveSession, rooms: readonly string[]): void {
    this.#recovery.sessions.join(session, rooms);
    this.#recovery.sessions.mark(session);
    this.port.holdUntilReported(session.socket.client.id);
  }

  #open(socket: RecoverableSocket): void {
    socket.emit = emitToOne;
    // Clients of Socket.IO 2 are not told their pid.
    if (socket.client.conn.protocol === 3) return;
    const session = this.#sessionOf(socket, 1, NO_DATA);
    this.#recovery.sessions.open(session, [...(this.sids.get(socket.id) ?? [])].filter(isShared));
    this.port.holdUntilReported(socket.client.id);
  }

  /** Its CONNECT packet comes next, and right behind that what it has missed: before anything that the app's listeners emit. */
  #resume(socket: RecoverableSocket, arrival: Arrival): void {
    if (arrival.isSuperseded) {
      this.#recovery.giveUp(arrival, false);
      queueMicrotask(() => this.#recovery.supersede(socket));
      return;
    }
    socket.emit = emitToOne;
    this.#recovery.sessions.resume(this.#sessionOf(socket, arrival.generation, arrival.data));
    this.#recovery.restoring.resumed(arrival);
    const packet = socket.packet.bind(socket);
    socket.packet = (...args) => {
      delete (socket as Partial<RecoverableSocket>).packet;
      packet(...args);
      // Bounded by recovery.maxMissedBytes: were it counted, a client that missed much would be cut off each time it comes back.
      this.#uncounted(() => {
        for (const encoded of arrival.events(this.#encoder)) socket.client.writeToEngine(encoded, packetOptions({}));
      });
    };
  }

  #sessionOf(socket: RecoverableSocket, generation: number, data: Buffer): LiveSession {
    const { id, pid } = socket;
    const session: LiveSession = {
      nsp: this.nsp.name,
      pid,
      id,
      generation,
      socket,
      forget: () => this.#sessions.delete(id),
      data,
      isMarked: false,
      hasComplained: false,
      life: undefined,
    };
    this.#sessions.set(id, session);
    return session;
  }

  /** While the middlewares run, the connection may close, or the client come back over another one: then this socket must not come to life. */
  #attend(arrival: Arrival): void {
    const socket = this.nsp._preConnectSockets.get(arrival.id);
    if (socket === undefined || this.#arrivals.get(arrival.id) !== arrival) return;
    const { conn } = socket.client;
    const bury = (): void => {
      if (this.#arrivals.get(arrival.id) !== arrival) return;
      conn.close(true);
      socket._cleanup();
      // Socket.IO calls it when the middlewares have answered; by then the id may be another socket's.
      socket._cleanup = () => undefined;
    };
    arrival.onSuperseded = bury;
    if (conn.readyState === "open") conn.once("close", bury);
    else bury();
  }

  #emitTo(socket: RecoverableSocket, packet: Packet, flags: BroadcastFlags): void {
    socket.notifyOutgoingListeners(packet);
    if (packet.id !== undefined) {
      socket.packet(packet, flags);
      return;
    }
    const { nsp, port } = this;
    const { clock } = this.#recovery;
    const { id } = socket;
    const opts = { rooms: [id], except: [], flags };
    let content: EventContent = { packet };
    let bytes: number;
    if (hasBinary(packet.data)) {
      const payload = encodePayload({ packet, opts });
      bytes = payload.body.length;
      if (!flags.volatile) port.unicast({ nsp: nsp.name, id, seq: clock.count(), bin: payload.bin }, payload.body);
    } else {
      const args = JSON.stringify(packet.data);
      content = { args };
      bytes = Buffer.byteLength(args);
      if (!flags.volatile)
        port.unicast(
          { nsp: nsp.name, id, seq: clock.count(), bin: false, args: bytes },
          encodeEvent(args, nsp.name, opts),
        );
    }
    const arrival = this.#arrivals.get(id);
    if (arrival === undefined)
      socket.client.writeToEngine(encodeForClient(this.#encoder, nsp.name, content, clock.text), packetOptions(flags));
    else if (!flags.volatile) arrival.keep(content, clock.claim, bytes);
  }

  #emitToRooms(packet: Packet, opts: BroadcastOptions): void {
    const { nsp, port } = this;
    const { clock, restoring } = this.#recovery;
    const { local = false, volatile = false } = opts.flags ?? {};
    const isLogged = !local && !volatile;
    const encoded = encodeOptions(opts);
    let content: EventContent;
    let bytes: number;
    if (hasBinary(packet.data)) {
      const payload = encodePayload({ packet, opts: encoded });
      content = { packet };
      bytes = payload.body.length;
      const { rooms, except } = encoded;
      const message = { nsp: nsp.name, type: MessageType.BROADCAST, rooms, to: "members" } as const;
      if (isLogged) port.publishPayload({ ...message, seq: clock.count(), except }, payload);
      else if (!local) port.publishPayload(message, payload);
      if (isLogged && restoring.isAsking) this.#keepOwn(() => ({ packet: packetOf(payload) }), opts, bytes);
    } else {
      const args = JSON.stringify(packet.data);
      content = { args };
      bytes = args.length;
      if (!local)
        port.publishEvent(nsp.name, MessageType.BROADCAST, args, encoded, isLogged ? clock.count() : undefined);
      if (isLogged && restoring.isAsking) this.#keepOwn(() => content, opts, bytes);
    }
    if (isLogged) this.#keep(content, opts, bytes);
    this.#hand(content, opts, packet.data);
  }

  /** For sessions that this worker has asked for. */
  #keepOwn(content: () => EventContent, { rooms, except }: BroadcastOptions, bytes: number): void {
    const { clock, restoring } = this.#recovery;
    const claim = clock.claim;
    restoring.keepOwn({ nsp: this.nsp.name, rooms, except: except ?? new Set(), content, bytes, claim });
  }

  /** For sessions that this worker was given, and whose sockets are not connected yet. */
  #keep(content: EventContent, { rooms, except }: BroadcastOptions, bytes: number): void {
    if (this.#arrivals.size === 0) return;
    const { clock, maxKeptBytes } = this.#recovery;
    for (const arrival of this.#arrivals.values()) {
      const own = this.sids.get(arrival.id) ?? arrival.rooms;
      if (!isFor({ rooms, except: except ?? new Set() }, (room) => own.has(room))) continue;
      arrival.keep(content, clock.claim, bytes);
      // The log has it all: the client comes back once more.
      if (arrival.keptBytes > maxKeptBytes) this.nsp._preConnectSockets.get(arrival.id)?.client.conn.close(true);
    }
  }

  /** Hands it to the members on this worker. @param data its name and arguments, where they are at hand */
  #hand(content: EventContent, opts: BroadcastOptions, data?: unknown[]): void {
    const { nsp } = this;
    const arrivals = this.#arrivals;
    const claim = this.#recovery.clock.text;
    const options = packetOptions(opts.flags ?? {});
    const listening: SocketInternals[] = [];
    let encoded: (string | Buffer)[] | undefined;
    (this as unknown as AdapterInternals).apply(opts, (socket) => {
      if (arrivals.size > 0 && arrivals.has(socket.id)) return;
      if (encoded === undefined) {
        encoded = encodeForClient(this.#encoder, nsp.name, content, claim);
        if (encoded.length === 1 && typeof encoded[0] === "string")
          options.wsPreEncodedFrame = [messageFrame(encoded[0])];
      }
      if (socket._anyOutgoingListeners?.length) listening.push(socket);
      socket.client.writeToEngine(encoded, options);
    });
    if (listening.length === 0) return;
    // Behind the writing: what a listener emits carries a claim that covers this event for every member.
    data ??= "args" in content ? (JSON.parse(content.args) as unknown[]) : content.packet.data;
    for (const socket of listening) socket.notifyOutgoingListeners({ type: PacketType.EVENT, nsp: nsp.name, data });
  }

  get #encoder(): AdapterInternals["encoder"] {
    return (this as unknown as AdapterInternals).encoder;
  }

  /** Runs a socket's stock `emit`, which calls {@link broadcast} for the room of its id, as `io.to(id).emit` does. */
  emitFrom(socket: RecoverableSocket, emit: () => boolean): boolean {
    this.#emitter = socket;
    try {
      return emit();
    } finally {
      this.#emitter = undefined;
    }
  }
}

const { emit: stockEmit } = Socket.prototype as unknown as Pick<RecoverableSocket, "emit">;

/** `socket.emit` of each socket: one function for all of them. */
function emitToOne(this: RecoverableSocket, event: string, ...args: unknown[]): boolean {
  const adapter = this.adapter as RecoveryAdapter;
  return adapter.emitFrom(this, () => stockEmit.call(this, event, ...args));
}

function packetOptions({ volatile, compress }: BroadcastFlags): PacketOptions {
  return { preEncoded: true, volatile, compress, wsPreEncodedFrame: undefined };
}
