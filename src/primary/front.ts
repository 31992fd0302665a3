/**
 * The port clients connect to. Reads the request line of each new connection and nothing more, finds the worker that owns the session in it, and
 * hands the connection over with the bytes read. What comes later on the same connection is the worker's.
 */
import { createServer, type Server, type Socket } from "node:net";
import { parseSid } from "../routing/address.js";
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
  /** @param mayOpenSession whether a session may come of it, which then counts as on its way */
  take(connection: Connection, mayOpenSession: boolean): void;
}

export interface Targets {
  /** The ready worker with that slot. */
  owner(slot: number): Target | undefined;
  /** The worker a new session goes to: one for which fewer than `maxWaiting` connections wait, if there is one; undefined where none is ready. */
  next(maxWaiting: number): Target | undefined;
}

export interface FrontOptions {
  readonly nodeId: number;
  /** Socket.IO's path with its trailing slash. */
  readonly enginePath: string;
  readonly maxRequestLineBytes: number;
  readonly requestLineTimeoutMs: number;
  readonly maxPendingHandoffs: number;
  readonly targets: Targets;
  readonly onRefused: (reason: Refusal) => void;
  readonly now: () => number;
}

export class Front {
  readonly #options: FrontOptions;
  readonly #server: Server;
  readonly #reading = new Set<Socket>();
  #draining = false;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#onConnection(socket));
  }

  /** @returns the port that was bound */
  async listen(port: number, host: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port, host }, () => {
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
  }

  /** Routes a connection whose request line is known. Also for those that come back from a worker that ended. */
  route(connection: Connection, target: string): void {
    const { targets, nodeId, enginePath, maxPendingHandoffs } = this.#options;
    const sid = isEnginePath(target, enginePath) ? sidOf(target) : undefined;
    const address = sid === undefined ? undefined : parseSid(sid);
    // Without an owner here any worker will do: it knows whom to forward to, or answers for the owner that is gone.
    const owner = address?.node === nodeId ? targets.owner(address.slot) : undefined;
    const chosen = owner ?? targets.next(maxPendingHandoffs);
    if (chosen === undefined) this.#refuse(connection.socket, this.#draining ? "draining" : "no_worker");
    else if (chosen.waiting >= maxPendingHandoffs) this.#refuse(connection.socket, "overloaded");
    else chosen.take(connection, sid === undefined);
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
      head = head === undefined ? chunk : Buffer.concat([head, chunk]);
      const line = readRequestLine(head, maxRequestLineBytes);
      if (line.kind === "incomplete") return;
      done();
      socket.off("data", onData);
      if (line.kind !== "complete") {
        this.#refuse(socket, line.kind === "too_long" ? "request_line_too_long" : "not_http");
      } else if (stopReading(socket)) {
        this.route({ socket, head, acceptedAtMs }, line.target);
      }
    };
    socket.on("data", onData);
    socket.on("error", () => socket.destroy());
    socket.once("close", done);
    // A client that ends before its request line is complete will never complete it.
    socket.once("end", () => socket.destroy());
  }

  #refuse(socket: Socket, reason: Refusal): void {
    this.#reading.delete(socket);
    if (socket.destroyed) return;
    this.#options.onRefused(reason);
    refuse(socket, reason);
  }
}
