/**
 * Socket.IO's adapter over the hub: rooms in this worker's memory, everything else through {@link HubPort}.
 *
 * It extends ClusterAdapter, the base that NodeClusterAdapter itself is built on, and not NodeClusterAdapter: that one adds a process listener per
 * namespace for ever and publishes from its constructor, before a subclass has its fields. What the base does on receipt is used as it is; what
 * it sends is replaced, because it counts servers by heartbeats and awaits each publish.
 */
import type { BroadcastOptions, ClusterMessage, ClusterResponse, Room, SocketId } from "socket.io-adapter";
import { Adapter, ClusterAdapter, MessageType } from "socket.io-adapter";
import { hasBinary } from "../lib/has-binary.js";
import type { Publish } from "../link/messages.js";
import type { EventOptions } from "../link/payload.js";
import { eventWriter } from "./event-writer.js";
import type { PortAdapter } from "./deliveries.js";
import type { HubPort } from "./hub-port.js";
import {
  PacketType,
  type AdapterInternals,
  type JoinedNamespace,
  type NamespaceInternals,
  type NamingNamespace,
  type Packet,
  type SocketInternals,
} from "./internals.js";
import { ask } from "./question.js";
import type { RoomBound } from "./room-bound.js";

export interface AdapterOptions {
  readonly port: HubPort;
  /** How long fetchSockets and serverSideEmit wait where the caller sets no timeout. */
  readonly requestTimeoutMs: number;
  readonly rooms: RoomBound;
  /** Called with each namespace when it is made, before anybody joins it. */
  readonly onNamespace: (nsp: Namespace) => void;
  /** What is written to clients meanwhile has a bound of its own, and does not count for what may wait for them. */
  readonly uncounted: (write: () => void) => void;
}

/** @returns what `io.adapter()` takes, without recovery */
export function createHubAdapter(options: AdapterOptions): new (nsp: Namespace) => HubAdapter {
  return class extends HubAdapter {
    constructor(nsp: Namespace) {
      super(nsp, options);
      options.onNamespace(nsp);
    }
  };
}

export type Namespace = NamespaceInternals & JoinedNamespace & NamingNamespace;
export type EncodedOptions = Extract<ClusterMessage, { type: MessageType.BROADCAST }>["data"]["opts"];
type Ack = (error: Error | null, responses: unknown[]) => void;

const local = Adapter.prototype;

export class HubAdapter extends ClusterAdapter implements PortAdapter {
  declare readonly nsp: NamespaceInternals;
  protected readonly port: HubPort;
  readonly #requestTimeoutMs: number;
  readonly #rooms: RoomBound;
  /** A socket that Socket.IO left behind in a closed namespace must not speak for the next one of that name. */
  #closed = false;
  /** What {@link serverCount} answers to the BroadcastOperator that has just called {@link broadcastWithAck}. */
  #ackParties: number | undefined;

  constructor(nsp: NamespaceInternals, { port, requestTimeoutMs, rooms }: AdapterOptions) {
    super(nsp);
    this.#rooms = rooms;
    this.port = port;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.on("create-room", (room: unknown) => {
      if (!this.#closed && isShared(room)) port.join(nsp.name, room);
    });
    this.on("delete-room", (room: unknown) => {
      if (!this.#closed && isShared(room)) port.leave(nsp.name, room);
    });
    port.open(nsp.name, this);
  }

  override close(): void {
    this.#closed = true;
    this.port.close(this.nsp.name, this);
  }

  /** @returns a rejected promise where the socket would be in too many rooms; it has joined none of these then */
  override addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void {
    const refusal = this.#rooms.refuse(id, this.sids.get(id), rooms);
    if (refusal !== undefined) return refusal;
    if (this.sids.size === 0 && !this.#closed) this.port.occupy(this.nsp.name);
    void super.addAll(id, rooms);
    const socket = this.nsp.sockets.get(id) ?? this.nsp._preConnectSockets.get(id);
    if (socket !== undefined) this.port.holdUntilKnown(socket.client.id, this.nsp.name, rooms);
  }

  override delAll(id: SocketId): void {
    const wasOccupied = this.sids.size > 0;
    super.delAll(id);
    if (wasOccupied && this.sids.size === 0 && !this.#closed) this.port.vacate(this.nsp.name);
  }

  /** Workers of this node that have the namespace open. */
  override serverCount(): Promise<number> {
    const parties = this.#ackParties;
    this.#ackParties = undefined;
    return parties === undefined ? this.port.count(this.nsp.name) : Promise.resolve(parties);
  }

  /**
   * Publishes and delivers before it returns: two emits keep their order, `local` ones too.
   * @throws TypeError where the packet cannot be serialised, as a single Socket.IO server does
   */
  override broadcast(packet: Packet, opts: BroadcastOptions): Promise<void> {
    const encoded = opts.flags?.local ? undefined : encodeOptions(opts);
    if (packet.type === PacketType.EVENT && packet.id === undefined && !hasBinary(packet.data)) {
      const args = JSON.stringify(packet.data);
      if (encoded) this.port.publishEvent(this.nsp.name, args, encoded);
      this.#deliver(args, opts, packet.data);
    } else {
      if (encoded) this.#publish(MessageType.BROADCAST, encoded.rooms, { packet, opts: encoded });
      local.broadcast.call(this, packet, opts);
    }
    return Promise.resolve();
  }

  onEvent(args: string, { rooms, except, flags }: EventOptions, _isLogged: boolean): void {
    const write = eventWriter(this.nsp.name, args, flags);
    const [room] = rooms;
    if (rooms.length === 1 && room !== undefined && except.length === 0) this.#forEachMember(room, write);
    else this.#forEach({ rooms: new Set(rooms), except: new Set(except), flags }, write);
  }

  /**
   * The BroadcastOperator adds up clients per server and asks right afterwards, in the same tick, how many servers there are. To it this worker
   * is one and the rest of the fleet is another, whose count comes when each of its workers has said all it will or has ended: so a worker
   * that dies takes its clients out of the sum.
   */
  override broadcastWithAck(
    packet: unknown,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: unknown[]) => void,
  ): void {
    const isLocal = opts.flags?.local === true;
    this.#ackParties = isLocal ? 1 : 2;
    queueMicrotask(() => (this.#ackParties = undefined));
    if (!isLocal) this.#broadcastWithRemoteAck(packet, opts, clientCountCallback, ack);
    local.broadcastWithAck.call(this, packet, opts, clientCountCallback, ack);
  }

  override addSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
    if (!opts.flags?.local) {
      const encoded = encodeOptions(opts);
      this.#publish(MessageType.SOCKETS_JOIN, encoded.rooms, { opts: encoded, rooms }, { joins: rooms });
    }
    local.addSockets.call(this, opts, rooms);
    return Promise.resolve();
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
    if (!opts.flags?.local) {
      const encoded = encodeOptions(opts);
      this.#publish(MessageType.SOCKETS_LEAVE, encoded.rooms, { opts: encoded, rooms });
    }
    local.delSockets.call(this, opts, rooms);
    return Promise.resolve();
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): Promise<void> {
    if (!opts.flags?.local) {
      const encoded = encodeOptions(opts);
      this.#publish(MessageType.DISCONNECT_SOCKETS, encoded.rooms, { opts: encoded, close });
    }
    local.disconnectSockets.call(this, opts, close);
    return Promise.resolve();
  }

  /** Rejects when a worker stays silent; the error's `responses` are the sockets that did arrive. */
  override async fetchSockets(opts: BroadcastOptions): Promise<unknown[]> {
    const found: unknown[] = await local.fetchSockets.call(this, opts);
    if (opts.flags?.local) return found;
    const encoded = encodeOptions(opts);
    await ask(this.port, {
      what: "fetchSockets",
      message: { nsp: this.nsp.name, type: MessageType.FETCH_SOCKETS, rooms: encoded.rooms, to: "members" },
      data: { opts: encoded },
      timeoutMs: opts.flags?.timeout ?? this.#requestTimeoutMs,
      responses: found,
      onReply: (data) => {
        for (const socket of (data as { sockets: unknown[] }).sockets) found.push(socket);
      },
    });
    return found;
  }

  /** With an ack: one answer per other worker that has the namespace open. */
  override serverSideEmit(packet: unknown[]): Promise<void> {
    const message = { nsp: this.nsp.name, type: MessageType.SERVER_SIDE_EMIT, rooms: [], to: "open" } as const;
    const ack = packet.at(-1);
    if (typeof ack !== "function") {
      this.port.publish(message, { packet });
      return Promise.resolve();
    }
    const answer = ack as Ack;
    const responses: unknown[] = [];
    ask(this.port, {
      what: "serverSideEmit",
      message,
      data: { packet: packet.slice(0, -1) },
      timeoutMs: this.#requestTimeoutMs,
      responses,
      onReply: (data) => responses.push((data as { packet: unknown }).packet),
    }).then(
      // Out of the promise: what the app's callback throws is not the request's failure.
      () => queueMicrotask(() => answer(null, responses)),
      (error: unknown) => queueMicrotask(() => answer(error as Error, responses)),
    );
    return Promise.resolve();
  }

  /** What the base's `broadcast` does. @param data the arguments */
  #deliver(args: string, opts: BroadcastOptions, data: unknown[]): void {
    const write = eventWriter(this.nsp.name, args, opts.flags, data);
    const isOneRoom = opts.rooms.size === 1 && (opts.except === undefined || opts.except.size === 0);
    if (isOneRoom) for (const room of opts.rooms) this.#forEachMember(room, write);
    else this.#forEach(opts, write);
  }

  #forEach(opts: BroadcastOptions, callback: (socket: SocketInternals) => void): void {
    (this as unknown as AdapterInternals).apply(opts, callback);
  }

  /** The same, without a set of those it has met: members of one room are met once. */
  #forEachMember(room: Room, callback: (socket: SocketInternals) => void): void {
    const { sockets } = this.nsp;
    const members = this.rooms.get(room);
    if (members === undefined) return;
    for (const id of members) {
      const socket = sockets.get(id);
      if (socket !== undefined) callback(socket);
    }
  }

  onDeliver(from: number, type: number, data: unknown, _isLogged: boolean, _bytes: number): void {
    this.onMessage({ uid: String(from), nsp: this.nsp.name, type, data } as ClusterMessage);
  }

  /** What the base sends of its own accord; everything it would send is overridden above. */
  protected override doPublish(): Promise<string> {
    return Promise.reject(new Error("the hub adapter publishes by itself"));
  }

  protected override doPublishResponse(requesterUid: string, { type, data }: ClusterResponse): Promise<void> {
    this.port.reply(Number(requesterUid), this.nsp.name, type, data);
    return Promise.resolve();
  }

  #publish(
    type: MessageType,
    rooms: readonly string[],
    data: object,
    more: Pick<Publish, "joins" | "req" | "timeoutMs"> = {},
  ): void {
    this.port.publish({ nsp: this.nsp.name, type, rooms, to: "members", ...more }, data);
  }

  #broadcastWithRemoteAck(
    packet: unknown,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: unknown[]) => void,
  ): void {
    const clients = new Map<number, { expected: number | undefined; answered: number }>();
    let answered = 0;
    const id = this.port.request({
      onReply: (wid, type, data) => {
        let worker = clients.get(wid);
        if (worker === undefined) clients.set(wid, (worker = { expected: undefined, answered: 0 }));
        if (type === (MessageType.BROADCAST_CLIENT_COUNT as number)) {
          worker.expected = (data as { clientCount: number }).clientCount;
        } else {
          worker.answered++;
          answered++;
          ack((data as { packet: unknown }).packet);
        }
        return worker.expected === worker.answered;
      },
      onComplete: () => {
        clearTimeout(timer);
        clientCountCallback(answered);
      },
    });
    // The operator has its own timeout and answers by itself; this one only forgets the request.
    const timeoutMs = (opts.flags?.timeout ?? this.#requestTimeoutMs) + 1_000;
    const timer = setTimeout(() => this.port.abandon(id), timeoutMs);
    const encoded = encodeOptions(opts);
    const data = { packet, opts: encoded, requestId: id };
    this.#publish(MessageType.BROADCAST, encoded.rooms, data, { req: id, timeoutMs });
  }
}

/** An app may join what a client sent. A room that is an object is equal to nothing on another worker, so nobody there can mean it. */
export function isShared(room: unknown): room is Room {
  return typeof room === "string" || typeof room === "number";
}

export function encodeOptions(opts: BroadcastOptions): EncodedOptions {
  return { rooms: [...opts.rooms], except: [...(opts.except ?? [])], flags: opts.flags ?? {} };
}
