/**
 * The sessions of one namespace, from the moment a socket is connected, or is made for a client that comes back, to the moment it leaves. Socket.IO says of
 * none of these but by what it asks of its adapter.
 */
import type { Session, SocketId } from "socket.io-adapter";
import type { HubPort } from "../hub-port.js";
import type { NamespaceInternals, RecoverableSocket } from "../internals.js";
import type { Arrival } from "./arrival.js";
import { packetOptions, type Encoder } from "./event-content.js";
import type { LiveSession } from "./live-session.js";
import type { Recovery } from "./recovery.js";
import { fromBytes, NO_DATA } from "./session-data.js";

export interface NamespaceSessionsOptions {
  readonly port: HubPort;
  readonly encoder: Encoder;
  /** What is written in it does not count for the bound on what may wait for a client. */
  readonly uncounted: (write: () => void) => void;
  /** What `socket.emit` becomes. */
  readonly emit: RecoverableSocket["emit"];
  /** Rooms of a socket that the hub knows of. */
  readonly roomsOf: (id: SocketId) => readonly string[];
}

export class NamespaceSessions {
  readonly #nsp: NamespaceInternals;
  readonly #recovery: Recovery;
  readonly #options: NamespaceSessionsOptions;
  /** By socket id. */
  readonly #sessions = new Map<SocketId, LiveSession>();

  constructor(nsp: NamespaceInternals, recovery: Recovery, options: NamespaceSessionsOptions) {
    this.#nsp = nsp;
    this.#recovery = recovery;
    this.#options = options;
  }

  /** By socket id: given to this worker, and not connected yet. */
  get arrivals(): ReadonlyMap<SocketId, Arrival> {
    return this.#recovery.restoring.arrivals(this.#nsp.name);
  }

  /** The socket is in its rooms. @param rooms that it was not in before */
  joined(id: SocketId, rooms: readonly string[]): void {
    const session = this.#sessions.get(id);
    const arrival = this.arrivals.get(id);
    const socket = this.#nsp.sockets.get(id);
    if (session !== undefined) {
      if (rooms.length > 0) this.#reportJoins(session, rooms);
    } else if (socket === undefined) {
      // Its middlewares run; what it joins before it is connected counts when it is, unless it is back.
      const added = rooms.filter((room) => arrival?.rooms.has(room) === false);
      if (arrival !== undefined && added.length > 0) this.#recovery.sessions.join(arrival, added);
    } else if (arrival !== undefined) {
      this.#resume(socket, arrival);
    } else if (rooms.includes(id)) {
      this.#open(socket);
    }
  }

  /** Call before the socket leaves the room. */
  leaves(id: SocketId, room: string): void {
    const session = this.#sessions.get(id) ?? this.arrivals.get(id);
    if (session !== undefined) this.#recovery.sessions.leave(session, room);
  }

  /** Disconnected, and may come back. */
  leave(id: SocketId): void {
    const session = this.#sessions.get(id);
    if (session !== undefined) this.#recovery.sessions.left(session);
  }

  /** The socket leaves its namespace. One that did not {@link leave} before is over for good. */
  end(id: SocketId): void {
    const session = this.#sessions.get(id);
    if (session !== undefined) this.#recovery.sessions.end(session);
    const arrival = this.arrivals.get(id);
    if (arrival === undefined) return;
    // Refused by a middleware, or the connection is gone.
    const isRefused = this.#nsp._preConnectSockets.get(id)?.client.conn.readyState === "open";
    this.#recovery.giveUp(arrival, isRefused);
  }

  /**
   * @returns undefined: the client starts anew
   * @throws Error where another version of Node wrote the session's data, and this one cannot read it
   */
  async restore(pid: string, offset: string): Promise<Omit<Session, "missedPackets"> | undefined> {
    const arrival = await this.#recovery.restoring.ask(this.#nsp.name, pid, offset);
    if (arrival === undefined) return undefined;
    let data: unknown;
    try {
      data = fromBytes(arrival.data);
    } catch (error) {
      this.#recovery.giveUp(arrival, true);
      throw error;
    }
    // By then Socket.IO has made the socket.
    setImmediate(() => this.#attend(arrival));
    return { sid: arrival.id, pid, rooms: [...arrival.rooms], data };
  }

  #reportJoins(session: LiveSession, rooms: readonly string[]): void {
    this.#recovery.sessions.join(session, rooms);
    this.#recovery.sessions.mark(session);
    this.#options.port.holdUntilReported(session.socket.client.id);
  }

  #open(socket: RecoverableSocket): void {
    socket.emit = this.#options.emit;
    // Clients of Socket.IO 2 are not told their pid.
    if (socket.client.conn.protocol === 3) return;
    this.#recovery.sessions.open(this.#add(socket, 1, NO_DATA), this.#options.roomsOf(socket.id));
    this.#options.port.holdUntilReported(socket.client.id);
  }

  /** Its CONNECT packet comes next, and right behind that what it has missed: before anything that the app's listeners emit. */
  #resume(socket: RecoverableSocket, arrival: Arrival): void {
    const { sessions, restoring } = this.#recovery;
    if (arrival.isSuperseded) {
      this.#recovery.giveUp(arrival, false);
      queueMicrotask(() => this.#recovery.supersede(socket));
      return;
    }
    socket.emit = this.#options.emit;
    const session = this.#add(socket, arrival.generation, arrival.data);
    sessions.resume(session);
    const rooms = new Set(this.#options.roomsOf(socket.id));
    // A bound on rooms may be lower by now.
    for (const room of arrival.rooms) if (!rooms.has(room)) sessions.leave(session, room);
    restoring.resumed(arrival);
    const packet = socket.packet.bind(socket);
    socket.packet = (...args) => {
      delete (socket as Partial<RecoverableSocket>).packet;
      packet(...args);
      // Bounded by recovery.maxMissedBytes: were it counted, a client that missed much would be cut off each time it comes back.
      this.#options.uncounted(() => {
        for (const encoded of arrival.events(this.#options.encoder))
          socket.client.writeToEngine(encoded, packetOptions({}));
      });
    };
  }

  #add(socket: RecoverableSocket, generation: number, data: Buffer): LiveSession {
    const { id, pid } = socket;
    const session: LiveSession = {
      nsp: this.#nsp.name,
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
    const isAwaited = (): boolean => this.arrivals.get(arrival.id) === arrival;
    const socket = this.#nsp._preConnectSockets.get(arrival.id);
    if (socket === undefined || !isAwaited()) return;
    const { conn } = socket.client;
    const bury = (): void => {
      if (!isAwaited()) return;
      conn.close(true);
      socket._cleanup();
      // Socket.IO calls it when the middlewares have answered; by then the id may be another socket's.
      socket._cleanup = () => undefined;
    };
    arrival.onSuperseded = bury;
    if (conn.readyState === "open") conn.once("close", bury);
    else bury();
  }
}
