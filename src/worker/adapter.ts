/**
 * Socket.IO's adapter over the hub: rooms in this worker's memory, everything else through {@link HubPort}.
 *
 * It extends ClusterAdapter, the base that NodeClusterAdapter itself is built on, and not NodeClusterAdapter: that one adds a process listener per
 * namespace for ever and publishes from its constructor, before a subclass has its fields. What the base does on receipt is used as it is; what
 * it sends is replaced, because it counts servers by heartbeats and awaits each publish.
 */
import type { BroadcastOptions, ClusterMessage, ClusterResponse, Room, SocketId } from "socket.io-adapter";
import { Adapter, ClusterAdapter, MessageType } from "socket.io-adapter";
import type { HubPort, PortAdapter } from "./hub-port.js";
import type { NamespaceInternals } from "./internals.js";

export interface AdapterOptions {
  readonly port: HubPort;
  /** How long fetchSockets and serverSideEmit wait where the caller sets no timeout. */
  readonly requestTimeoutMs: number;
}

/** @returns what `io.adapter()` takes */
export function createHubAdapter(options: AdapterOptions): new (nsp: NamespaceInternals) => HubAdapter {
  return class extends HubAdapter {
    constructor(nsp: NamespaceInternals) {
      super(nsp, options);
    }
  };
}

type EncodedOptions = Extract<ClusterMessage, { type: MessageType.BROADCAST }>["data"]["opts"];
type Ack = (error: Error | null, responses: unknown[]) => void;

const local = Adapter.prototype;

export class HubAdapter extends ClusterAdapter implements PortAdapter {
  declare readonly nsp: NamespaceInternals;
  readonly #port: HubPort;
  readonly #requestTimeoutMs: number;
  /** What {@link serverCount} answers to the BroadcastOperator that has just called {@link broadcastWithAck}. */
  #ackParties: number | undefined;

  constructor(nsp: NamespaceInternals, { port, requestTimeoutMs }: AdapterOptions) {
    super(nsp);
    this.#port = port;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.on("create-room", (room: Room) => port.join(nsp.name, room));
    this.on("delete-room", (room: Room) => port.leave(nsp.name, room));
    port.open(nsp.name, this);
  }

  override close(): void {
    this.#port.close(this.nsp.name, this);
  }

  override addAll(id: SocketId, rooms: Set<Room>): void {
    if (this.sids.size === 0) this.#port.occupy(this.nsp.name);
    void super.addAll(id, rooms);
    const socket = this.nsp.sockets.get(id) ?? this.nsp._preConnectSockets.get(id);
    if (socket !== undefined) this.#port.holdUntilKnown(socket.client.conn.id, this.nsp.name, rooms);
  }

  override delAll(id: SocketId): void {
    const wasOccupied = this.sids.size > 0;
    super.delAll(id);
    if (wasOccupied && this.sids.size === 0) this.#port.vacate(this.nsp.name);
  }

  /** Workers of this node that have the namespace open. */
  override serverCount(): Promise<number> {
    const parties = this.#ackParties;
    this.#ackParties = undefined;
    return parties === undefined ? this.#port.count(this.nsp.name) : Promise.resolve(parties);
  }

  /**
   * Publishes and delivers before it returns: two emits keep their order, `local` ones too.
   * @throws TypeError where the packet cannot be serialised, as a single Socket.IO server does
   */
  override broadcast(packet: unknown, opts: BroadcastOptions): Promise<void> {
    if (!opts.flags?.local) {
      const encoded = encodeOptions(opts);
      this.#publish(MessageType.BROADCAST, encoded.rooms, { packet, opts: encoded });
    }
    local.broadcast.call(this, packet, opts);
    return Promise.resolve();
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
      this.#publish(MessageType.SOCKETS_JOIN, encoded.rooms, { opts: encoded, rooms }, rooms);
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
    const timeoutMs = opts.flags?.timeout ?? this.#requestTimeoutMs;
    return await new Promise((resolve, reject) => {
      const id = this.#port.request({
        onReply: (_wid, _type, data) => {
          found.push(...(data as { sockets: unknown[] }).sockets);
          return true;
        },
        onComplete: () => {
          clearTimeout(timer);
          resolve(found);
        },
      });
      const timer = setTimeout(
        () => reject(new SilentWorkersError("fetchSockets", this.#port.abandon(id), found)),
        timeoutMs,
      );
      const encoded = encodeOptions(opts);
      this.#publish(MessageType.FETCH_SOCKETS, encoded.rooms, { opts: encoded, requestId: id }, undefined, id);
    });
  }

  /** With an ack: one answer per other worker that has the namespace open. */
  override serverSideEmit(packet: unknown[]): Promise<void> {
    const ack = packet.at(-1);
    if (typeof ack !== "function") {
      this.#port.publish({ nsp: this.nsp.name, type: MessageType.SERVER_SIDE_EMIT, rooms: [], to: "open" }, { packet });
      return Promise.resolve();
    }
    const answer = ack as Ack;
    const responses: unknown[] = [];
    const id = this.#port.request({
      onReply: (_wid, _type, data) => {
        responses.push((data as { packet: unknown }).packet);
        return true;
      },
      onComplete: () => {
        clearTimeout(timer);
        answer(null, responses);
      },
    });
    const timer = setTimeout(() => {
      answer(new SilentWorkersError("serverSideEmit", this.#port.abandon(id), responses), responses);
    }, this.#requestTimeoutMs);
    const data = { packet: packet.slice(0, -1), requestId: id };
    this.#port.publish(
      { nsp: this.nsp.name, type: MessageType.SERVER_SIDE_EMIT, rooms: [], to: "open", req: id },
      data,
    );
    return Promise.resolve();
  }

  onDeliver(from: number, type: number, data: unknown): void {
    this.onMessage({ uid: String(from), nsp: this.nsp.name, type, data } as ClusterMessage);
  }

  /** What the base sends of its own accord; everything it would send is overridden above. */
  protected override doPublish(): Promise<string> {
    return Promise.reject(new Error("the hub adapter publishes by itself"));
  }

  protected override doPublishResponse(requesterUid: string, { type, data }: ClusterResponse): Promise<void> {
    this.#port.reply(Number(requesterUid), this.nsp.name, type, data);
    return Promise.resolve();
  }

  #publish(type: MessageType, rooms: readonly string[], data: object, joins?: readonly string[], req?: string): void {
    this.#port.publish(
      { nsp: this.nsp.name, type, rooms, to: "members", ...(joins && { joins }), ...(req !== undefined && { req }) },
      data,
    );
  }

  #broadcastWithRemoteAck(
    packet: unknown,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: unknown[]) => void,
  ): void {
    const clients = new Map<number, { expected: number | undefined; answered: number }>();
    let answered = 0;
    const id = this.#port.request({
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
    const timer = setTimeout(() => this.#port.abandon(id), (opts.flags?.timeout ?? this.#requestTimeoutMs) + 1_000);
    const encoded = encodeOptions(opts);
    this.#publish(MessageType.BROADCAST, encoded.rooms, { packet, opts: encoded, requestId: id }, undefined, id);
  }
}

/** A worker that lives gave no answer in time. `responses` is what did arrive. */
export class SilentWorkersError extends Error {
  readonly missing: number;
  readonly responses: readonly unknown[];

  constructor(what: string, missing: number, responses: readonly unknown[]) {
    super(
      `${what}: timeout reached, ${missing} ${missing === 1 ? "worker has" : "workers have"} not answered (${responses.length} responses received)`,
    );
    this.name = "SilentWorkersError";
    this.missing = missing;
    this.responses = responses;
  }
}

function encodeOptions(opts: BroadcastOptions): EncodedOptions {
  return { rooms: [...opts.rooms], except: [...(opts.except ?? [])], flags: opts.flags ?? {} };
}
