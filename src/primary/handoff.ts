/**
 * Hands TCP connections, with the bytes already read, to one worker.
 *
 * It stops reading first: a socket that goes on being read in the primary while its handle travels loses those bytes, and with them the
 * client's first frames. There is no public call for it; `pause()` does not stop the handle.
 */
import type { Worker } from "node:cluster";
import type { Socket } from "node:net";

/** Where a connection stands before it reached its worker. */
export interface Connection {
  readonly socket: Socket;
  /** Everything read so far. */
  readonly head: Buffer;
  readonly acceptedAtMs: number;
}

export interface HandoffHandler {
  /** The kernel has the handle; the worker's process takes it from here. */
  onHandedOver(connection: Connection): void;
  /** The worker ended before it could take these. They have lost nothing and may go to another. */
  onReturned(connections: readonly Connection[]): void;
}

/** How long the channel of a process that has ended may take to say so. */
const CHANNEL_END_MS = 1_000;
const CHANNEL_CHECK_MS = 2;

export class Handoff {
  readonly #worker: Worker;
  readonly #handler: HandoffHandler;
  readonly #now: () => number;
  /** In the order in which they came. */
  readonly #waiting = new Map<Connection, { readonly handle: Handle | null; readonly sinceMs: number }>();
  /** The one that was passed last. Node keeps it open until the worker has it, and for ever where the worker ends before. */
  #travelling: Handle | null = null;
  #closed = false;

  constructor(worker: Worker, handler: HandoffHandler, now: () => number) {
    this.#worker = worker;
    this.#handler = handler;
    this.#now = now;
  }

  /** Connections that Node's channel has not taken yet: it passes one handle at a time and waits for the worker's word. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** How long the first of them has been waiting. */
  get delayMs(): number {
    for (const { sinceMs } of this.#waiting.values()) return this.#now() - sinceMs;
    return 0;
  }

  /** @param connection its socket must have been stopped by {@link stopReading} in the same tick as its last read */
  take(connection: Connection): void {
    if (this.#closed) {
      this.#handler.onReturned([connection]);
      return;
    }
    const handle = handleOf(connection.socket);
    this.#waiting.set(connection, { handle, sinceMs: this.#now() });
    // Its process ends: until that is known the front still sends connections here, and they go back with the others.
    if (!this.#worker.isConnected()) return;
    detachFromServer(connection.socket);
    // The message of @socket.io/sticky, whose worker half takes it in.
    this.#worker.send({ type: "sticky:connection", data: connection.head }, connection.socket, (error) => {
      if (!this.#waiting.has(connection)) return;
      // The channel is broken and the worker's end not known yet: what Node has not taken goes back with the others.
      if (error !== null && handleOf(connection.socket) !== null) return;
      this.#waiting.delete(connection);
      if (error !== null) {
        handle?.close();
        return;
      }
      this.#travelling = handle;
      this.#handler.onHandedOver(connection);
    });
  }

  /** Call once the worker's process has ended. */
  close(waitedMs = 0): void {
    // The worker's last word, that it has taken a connection, may be unread yet.
    if (this.#worker.isConnected() && waitedMs < CHANNEL_END_MS) {
      setTimeout(() => this.close(waitedMs + CHANNEL_CHECK_MS), CHANNEL_CHECK_MS);
      return;
    }
    if (this.#closed) return;
    this.#closed = true;
    this.#travelling?.close();
    const returned: Connection[] = [];
    for (const [connection, { handle }] of this.#waiting) {
      if (handleOf(connection.socket) === handle) returned.push(connection);
      else handle?.close();
    }
    this.#waiting.clear();
    this.#handler.onReturned(returned);
  }
}

/** Node's own name for what `net.Socket` wraps; a socket that is passed on loses it. */
interface Handle {
  readStop(): number;
  close(): void;
}

function handleOf(socket: Socket): Handle | null {
  return (socket as unknown as { _handle: Handle | null })._handle;
}

/**
 * Node keeps account of which worker has which of a server's connections, in both processes and with a word over the channel for each that ends, so that
 * `server.close()` can wait for them. Nobody waits here.
 */
function detachFromServer(socket: Socket): void {
  const owned = socket as unknown as { server: object | null; _server: { _connections: number } | null };
  if (owned._server === null) return;
  owned._server._connections--;
  owned.server = null;
  owned._server = null;
}

/** @returns false where the socket is gone already */
export function stopReading(socket: Socket): boolean {
  const handle = handleOf(socket);
  if (handle === null) return false;
  handle.readStop();
  return true;
}
