/**
 * The hub's adapter with recovery on: each event carries a claim behind its arguments, what clients that are away are to get is numbered, and sessions
 * are told of, given up and taken over. It costs nothing where recovery is off, for then {@link HubAdapter} is used as it is.
 */
import { Socket } from "socket.io";
import type { BroadcastFlags, BroadcastOptions, Room, Session, SocketId } from "socket.io-adapter";
import { MessageType } from "socket.io-adapter";
import { hasBinary } from "../lib/has-binary.js";
import { encodeEvent, encodePayload, type EventOptions } from "../link/payload.js";
import { encodeOptions, HubAdapter, isShared, type AdapterOptions, type Namespace } from "./adapter.js";
import { messageFrame } from "./event-frame.js";
import {
  PacketType,
  type AdapterInternals,
  type NamespaceInternals,
  type Packet,
  type RecoverableSocket,
  type SocketInternals,
} from "./internals.js";
import type { Arrival } from "./recovery/arrival.js";
import { encodeForClient, packetOf, packetOptions, type EventContent } from "./recovery/event-content.js";
import { NamespaceSessions } from "./recovery/namespace-sessions.js";
import { isFor } from "./recovery/own-publications.js";
import type { Recovery } from "./recovery/recovery.js";

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
  readonly #sessions: NamespaceSessions;
  /** The socket whose `emit` is about to call {@link broadcast}. */
  #emitter: RecoverableSocket | undefined;

  constructor(nsp: NamespaceInternals, options: AdapterOptions, recovery: Recovery) {
    super(nsp, options);
    this.#recovery = recovery;
    this.#sessions = new NamespaceSessions(nsp, recovery, {
      port: options.port,
      uncounted: options.uncounted,
      encoder: this.#encoder,
      emit: emitToOne,
      roomsOf: (id) => [...(this.sids.get(id) ?? [])].filter(isShared),
    });
  }

  override addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void {
    const before = this.sids.get(id);
    const joined = [...rooms].filter((room) => isShared(room) && before?.has(room) !== true);
    const refusal = super.addAll(id, rooms);
    if (refusal !== undefined) return refusal;
    this.#sessions.joined(id, joined);
  }

  override del(id: SocketId, room: Room): void {
    if (this.sids.get(id)?.has(room) === true) this.#sessions.leaves(id, room);
    void super.del(id, room);
  }

  override delAll(id: SocketId): void {
    this.#sessions.end(id);
    super.delAll(id);
  }

  override persistSession({ sid }: Parameters<HubAdapter["persistSession"]>[0]): void {
    this.#sessions.leave(sid);
  }

  /** What the client has missed is written once it is connected: what comes before that, a client keeps and hears twice where the connection breaks. */
  override async restoreSession(pid: string, offset: string): Promise<Session> {
    const session = await this.#sessions.restore(pid, offset);
    // The declared type leaves out what Socket.IO checks for.
    return session === undefined ? (null as unknown as Session) : { ...session, missedPackets: [] };
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
      if (!local) port.publishEvent(nsp.name, args, encoded, isLogged ? clock.count() : undefined);
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
