/**
 * The port clients connect to. Reads the request line of each new connection and nothing more, finds the worker that owns the session in it, and
 * hands the connection over with the bytes read. What comes later on the same connection is the worker's.
 */
import { createServer, type Server, type Socket } from "node:net";
import { destroyThis } from "../lib/destroy-this.js";
import { readDirectly } from "../lib/read-directly.js";
import { parseSid } from "../routing/address.js";
import type { NotAdmitted } from "../routing/admission.js";
import { isEnginePath, readRequestLine, sidOf } from "../routing/request-line.js";
import type { Connection } from "./handoff.js";
import { stopReading } from "./handoff.js";
import type { Refusal } from "./refusal.js";
import { refuse } from "./refusal.js";

/** A worker as the front sees it. */
export interface Target {
  readonly slot: number;
  /** Connections that wait to be handed to it. */
  readonly waiting: number;
  /** Whether new sessions may go to it. */
  readonly takesSessions: boolean;
  /** A session may come of the connection that it will be handed: it counts as on its way. */
  expectSession(): void;
  take(connection: Connection): void;
}

/** The place of a new session, which is counted already, or why there is none. */
export type Entry<T extends Target = Target> = { readonly target: T; readonly waitMs: number } | NotAdmitted | "full";

export interface Targets {
  /** The ready worker with that slot. */
  owner(slot: number): Target | undefined;
  /** The least loaded worker: one for which fewer than `maxWaiting` connections wait, if there is one; undefined where none is ready. */
  next(maxWaiting: number): Target | undefined;
  /** Takes a place for a new session. */
  enter(maxWaiting: number): Entry;
}

/**
 * Connections that the kernel may hold for the front while it is busy, where the system allows so many: what comes beyond that is lost, and
 * tries again a second later.
 */
const BACKLOG = 4_096;

export interface FrontOptions {
  readonly nodeId: number;
  /** Socket.IO's path with its trailing slash. */
  readonly enginePath: string;
  readonly maxRequestLineBytes: number;
  readonly requestLineTimeoutMs: number;
  readonly maxPendingHandoffs: number;
  readonly targets: Targets;
  /** Whether somebody at that address has as many sessions as he may. */
  readonly refusesAddress: ((address: string | undefined) => boolean) | undefined;
  readonly onRefused: (reason: Refusal) => void;
  readonly now: () => number;
}

export class Front {
  readonly #options: FrontOptions;
  readonly #server: Server;
  readonly #reading = new Set<Socket>();
  /** New sessions that wait for their turn. */
  readonly #waiting = new Map<NodeJS.Timeout, Connection>();
  #draining = false;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#onConnection(socket));
  }

  /** @returns the port that was bound */
  async listen(port: number, host: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port, host, backlog: BACKLOG }, () => {
        this.#server.removeListener("error", reject);
        resolve();
      });
    });
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the front listens on no TCP port");
    return address.port;
  }

  /** From now on only requests of sessions that exist get through. */
  drain(): void {
    this.#draining = true;
  }

  /** Stops accepting; connections whose request line is not complete yet are closed. */
  close(): void {
    this.#server.close();
    for (const socket of this.#reading) this.#refuse(socket, "draining");
    for (const [timer, { socket }] of this.#waiting) {
      clearTimeout(timer);
      this.#refuse(socket, "draining");
    }
    this.#waiting.clear();
  }

  /** Routes a connection whose request line is known. Also for those that come back from a worker that ended. */
  route(connection: Connection, target: string): void {
    const { targets, nodeId, enginePath, maxPendingHandoffs } = this.#options;
    const isForEngine = isEnginePath(target, enginePath);
    const sid = isForEngine ? sidOf(target) : undefined;
    if (isForEngine && sid === undefined) {
      this.#enter(connection);
      return;
    }
    const address = sid === undefined ? undefined : parseSid(sid);
    // Without an owner here any worker will do: it knows whom to forward to, or answers for the owner that is gone.
    const owner = address?.node === nodeId ? targets.owner(address.slot) : undefined;
    const chosen = owner ?? targets.next(maxPendingHandoffs);
    if (chosen === undefined) this.#refuse(connection.socket, this.#draining ? "draining" : "no_worker");
    else if (chosen.waiting >= maxPendingHandoffs) this.#refuse(connection.socket, "overloaded");
    else {
      // Its connection stays open, and the next request on it may be a handshake.
      if (sid === undefined) chosen.expectSession();
      chosen.take(connection);
    }
  }

  /** A handshake: the one kind of request that is refused for what the node has to do. */
  #enter(connection: Connection): void {
    const { targets, maxPendingHandoffs, refusesAddress } = this.#options;
    const { socket } = connection;
    const entry = this.#draining
      ? "draining"
      : refusesAddress?.(socket.remoteAddress)
        ? "address"
        : targets.enter(maxPendingHandoffs);
    if (typeof entry === "string") {
      this.#refuse(socket, entry);
    } else if (entry.waitMs <= 0) {
      entry.target.take(connection);
    } else {
      const timer = setTimeout(() => {
        this.#waiting.delete(timer);
        if (this.#draining) this.#refuse(socket, "draining");
        else if (entry.target.takesSessions) entry.target.take(connection);
        else this.#enter(connection);
      }, entry.waitMs);
      this.#waiting.set(timer, connection);
    }
  }

  /** Routes again what a worker that ended had not taken. */
  reroute(connections: readonly Connection[]): void {
    for (const connection of connections) {
      const line = readRequestLine(connection.head, this.#options.maxRequestLineBytes);
      if (connection.socket.destroyed) continue;
      if (line.kind === "complete") this.route(connection, line.target);
      else this.#refuse(connection.socket, "not_http");
    }
  }

  #onConnection(socket: Socket): void {
    const { maxRequestLineBytes, requestLineTimeoutMs, now } = this.#options;
    const acceptedAtMs = now();
    let head: Buffer | undefined;
    const timer = setTimeout(() => this.#refuse(socket, "request_line_timeout"), requestLineTimeoutMs);
    this.#reading.add(socket);
    const done = (): void => {
      clearTimeout(timer);
      this.#reading.delete(socket);
    };
    const onData = (chunk: Buffer): void => {
      // What a client that was refused goes on sending.
      if (!this.#reading.has(socket)) return;
      head = head === undefined ? chunk : Buffer.concat([head, chunk]);
      const line = readRequestLine(head, maxRequestLineBytes);
      if (line.kind === "incomplete") return;
      done();
      if (line.kind !== "complete") {
        this.#refuse(socket, line.kind === "too_long" ? "request_line_too_long" : "not_http");
      } else if (stopReading(socket)) {
        this.route({ socket, head, acceptedAtMs }, line.target);
      }
    };
    if (readDirectly(socket, onData)) socket.resume();
    else socket.on("data", onData);
    socket.on("error", destroyThis);
    socket.once("close", done);
    // A client that ends before its request line is complete will never complete it.
    socket.once("end", destroyThis);
  }

  #refuse(socket: Socket, reason: Refusal): void {
    this.#reading.delete(socket);
    if (socket.destroyed) return;
    this.#options.onRefused(reason);
    refuse(socket, reason);
  }
}
