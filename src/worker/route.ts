/** A way to another worker: of this node, by its Unix socket, or of another one, by its node's address. */
import { Agent } from "node:http";
import { connect, type Socket } from "node:net";

export type Endpoint = { readonly path: string } | { readonly host: string; readonly port: number };

/** Requests and WebSockets that one route carries at once: each holds a connection here, and one with the owner. */
export const MAX_OPEN = 10_000;
/** Shorter than Node and limpet keep idle connections, or a request would meet one that is just being closed. */
const IDLE_MS = 55_000;
const CONNECT_MS = 3_000;
const KEEP_ALIVE_PROBE_MS = 30_000;

export class Route {
  /** Keeps connections, so that those of one route reach the same worker again. */
  readonly agent = new Agent({ keepAlive: true, maxFreeSockets: 64, timeout: IDLE_MS });
  /** How long an answer may take to begin; undefined where whoever is silent is ended by others. */
  readonly answerMs: number | undefined;
  readonly endpoint: Endpoint;
  #open = 0;

  constructor(endpoint: Endpoint, answerMs?: number) {
    this.endpoint = endpoint;
    this.answerMs = answerMs;
  }

  /** Takes one of the places; {@link leave} gives it back. @returns false where none is left */
  enter(): boolean {
    if (this.#open >= MAX_OPEN) return false;
    this.#open++;
    return true;
  }

  leave(): void {
    this.#open--;
  }

  /** A connection of its own, for an upgrade. */
  connect(): Socket {
    const socket = connect({
      ...this.endpoint,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
    });
    limitConnecting(socket);
    return socket;
  }

  /** Ends the connections, those in use as well. */
  close(): void {
    this.agent.destroy();
  }
}

/** Fails a connection that is not there after 3 s: an address behind which nobody is may never answer. */
export function limitConnecting(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(new Error(`not connected within ${CONNECT_MS} ms`)), CONNECT_MS);
  const done = (): void => clearTimeout(timer);
  socket.once("connect", done);
  socket.once("close", done);
}
