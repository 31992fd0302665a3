/** The primary's Unix socket, where each worker opens its link. The folder is the node's own and nobody else may enter it. */
import { createServer, type Server } from "node:net";
import { Turn } from "../lib/turn.js";
import type { WorkerLinkHandler } from "./worker-link.js";
import { acceptLink, type WorkerLink } from "./worker-link.js";

const HELLO_TIMEOUT_MS = 10_000;

export interface LinkServerOptions {
  readonly path: string;
  /** Bytes that may wait for one worker. */
  readonly maxQueueBytes: number;
  readonly handler: WorkerLinkHandler;
  /** Whether a worker of that wid has been started and has no link yet. */
  readonly accept: (wid: number) => boolean;
  readonly onLink: (link: WorkerLink) => void;
}

export class LinkServer {
  readonly #server: Server;
  readonly #path: string;

  constructor({ path, maxQueueBytes, handler, accept, onLink }: LinkServerOptions) {
    this.#path = path;
    const turn = new Turn();
    this.#server = createServer((socket) => {
      acceptLink(socket, { accept, handler, maxQueueBytes, helloTimeoutMs: HELLO_TIMEOUT_MS, onLink, turn });
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#path, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  close(): void {
    this.#server.close();
  }
}
