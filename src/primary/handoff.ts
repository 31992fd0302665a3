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

export class Handoff {
  readonly #worker: Worker;
  readonly #handler: HandoffHandler;
  readonly #waiting = new Set<Connection>();
  #closed = false;

  constructor(worker: Worker, handler: HandoffHandler) {
    this.#worker = worker;
    this.#handler = handler;
  }

  /** Connections that Node's channel has not taken yet: it passes one handle at a time and waits for the worker's word. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** @param connection its socket must have been stopped by {@link stopReading} in the same tick as its last read */
  take(connection: Connection): void {
    if (this.#closed) {
      this.#handler.onReturned([connection]);
      return;
    }
    this.#waiting.add(connection);
    // Its process ends: until that is known the front still sends connections here, and they go back with the others.
    if (!this.#worker.isConnected()) return;
    // The message of @socket.io/sticky, whose worker half takes it in.
    this.#worker.send({ type: "sticky:connection", data: connection.head }, connection.socket, (error) => {
      if (!this.#waiting.delete(connection)) return;
      if (error === null) this.#handler.onHandedOver(connection);
      else connection.socket.destroy();
    });
  }

  /** Call once the worker's process has ended. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const returned = [...this.#waiting];
    this.#waiting.clear();
    this.#handler.onReturned(returned);
  }
}

/** Node's own name for what `net.Socket` wraps. */
interface Readable {
  readStop(): number;
}

/** @returns false where the socket is gone already */
export function stopReading(socket: Socket): boolean {
  const handle = (socket as unknown as { _handle: Readable | null })._handle;
  if (handle === null) return false;
  handle.readStop();
  return true;
}
