/**
 * The TCP port of a worker's own: a balancer that knows which worker holds a session reaches it there without the primary. It belongs to the slot, not to
 * the process: whoever had it before may still drain, so one that is taken is tried again. Until then, and where it fails, the front is the way.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";

const RETRY_MS = 250;

export interface SlotPortOptions {
  readonly port: number;
  readonly host: string;
  readonly onConnection: (socket: Socket) => void;
  readonly log: Logger;
}

export class SlotPort {
  readonly #options: SlotPortOptions;
  readonly #server: Server;
  #retry: NodeJS.Timeout | undefined;
  #hasWarned = false;

  constructor(options: SlotPortOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, options.onConnection);
    this.#server.on("error", (error) => this.#onError(error));
  }

  /** @returns once it listens, or has to wait for its turn */
  async open(): Promise<void> {
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#server.off("listening", settle).off("error", settle);
        resolve();
      };
      this.#server.on("listening", settle).on("error", settle);
      this.#listen();
    });
  }

  /** Takes no connection any more; those there are go on. */
  close(): void {
    clearTimeout(this.#retry);
    this.#server.close();
  }

  #listen(): void {
    const { port, host } = this.#options;
    // Without `exclusive` the cluster's primary would accept, and share the port among all workers.
    this.#server.listen({ port, host, exclusive: true });
  }

  #onError(error: Error): void {
    const { port, log } = this.#options;
    if (!this.#hasWarned)
      log.warn({ err: error, port }, "the slot's port cannot be listened on yet: clients come by the front");
    this.#hasWarned = true;
    this.#retry = setTimeout(() => this.#listen(), RETRY_MS);
  }
}
