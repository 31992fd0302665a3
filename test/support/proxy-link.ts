/** One connection through the proxy of tcp-proxy.ts: two sockets, and a lane of chunks in each direction. */
import { connect, type Socket } from "node:net";
import { CommandReader, type RedisCommand } from "./redis-commands.js";
import type { Link } from "./tcp-proxy.js";

export interface LinkRules {
  readonly isCut: (link: Link) => boolean;
  readonly isStalled: (link: Link) => boolean;
  readonly delayMs: () => number;
  /** Whom to tell once the reply to this command is lost, where it is to be lost. */
  readonly takeSwallow: (command: RedisCommand) => (() => void) | undefined;
}

/** What waits in a lane beyond this stays with the kernel of the sender. */
const LANE_BYTES = 65_536;

export class ProxyLink implements Link {
  readonly commands = new Set<string>();
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #rules: LinkRules;
  readonly #reader = new CommandReader();
  readonly #toServer: Lane;
  readonly #toClient: Lane;
  #inTransaction = false;
  #swallowed: (() => void) | undefined;

  constructor(client: Socket, targetPort: number, rules: LinkRules) {
    this.#client = client;
    this.#rules = rules;
    this.#server = connect({ host: "127.0.0.1", port: targetPort, noDelay: true });
    this.#toServer = new Lane(client, this.#server, () => this.#stalled, rules.delayMs);
    this.#toClient = new Lane(this.#server, client, () => this.#stalled, rules.delayMs);
    client.on("data", (chunk: Buffer) => this.#fromClient(chunk));
    this.#server.on("data", (chunk: Buffer) => {
      if (this.#swallowed === undefined) this.#toClient.push(chunk);
    });
    client.on("end", () => this.#toServer.end());
    this.#server.on("end", () => {
      if (this.#swallowed === undefined) this.#toClient.end();
    });
    for (const socket of [client, this.#server]) {
      // A broken connection is what this is for; its close follows.
      socket.on("error", () => undefined);
      socket.on("close", () => this.#closed());
    }
  }

  get toServerBytes(): number {
    return this.#toServer.passedBytes;
  }

  get toClientBytes(): number {
    return this.#toClient.passedBytes;
  }

  get open(): boolean {
    return !this.#client.destroyed;
  }

  get addressAtServer(): string {
    return `${this.#server.localAddress}:${this.#server.localPort}`;
  }

  get #stalled(): boolean {
    return this.#rules.isStalled(this);
  }

  /** Acts on rules that have changed. */
  apply(): void {
    if (this.#rules.isCut(this)) return this.#reset();
    this.#toServer.flush();
    this.#toClient.flush();
  }

  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  #fromClient(chunk: Buffer): void {
    for (const command of this.#reader.read(chunk)) {
      this.commands.add(command.name);
      if (command.name === "MULTI") this.#inTransaction = true;
      if (command.name === "EXEC") this.#inTransaction = false;
      this.#swallowed ??= this.#rules.takeSwallow(command);
    }
    if (this.#rules.isCut(this)) return this.#reset();
    this.#toServer.push(chunk);
    // The server works off what came before the end, and then closes.
    if (this.#swallowed !== undefined && !this.#inTransaction) this.#toServer.end();
  }

  #reset(): void {
    if (this.#client.destroyed) return;
    this.#client.resetAndDestroy();
    this.#server.destroy();
  }

  #closed(): void {
    this.destroy();
    this.#swallowed?.();
  }
}

/** Passes chunks on in order: not while stalled, and not before their time. */
class Lane {
  passedBytes = 0;
  readonly #queue: { chunk: Buffer; dueMs: number }[] = [];
  #queuedBytes = 0;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly stalled: () => boolean,
    private readonly delayMs: () => number,
  ) {
    to.on("drain", () => this.flush());
  }

  push(chunk: Buffer): void {
    if (this.#ended) return;
    this.#queue.push({ chunk, dueMs: performance.now() + this.delayMs() });
    this.#queuedBytes += chunk.length;
    this.flush();
  }

  /** What was pushed still passes. */
  end(): void {
    this.#ended = true;
    this.flush();
  }

  flush(): void {
    clearTimeout(this.#timer);
    if (this.to.destroyed) return;
    const stalled = this.stalled();
    while (!stalled && !this.to.writableNeedDrain) {
      const [next] = this.#queue;
      if (next === undefined) break;
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), Math.ceil(waitMs));
        break;
      }
      this.#queue.shift();
      this.#queuedBytes -= next.chunk.length;
      this.passedBytes += next.chunk.length;
      this.to.write(next.chunk);
    }
    if (stalled || this.#queuedBytes > LANE_BYTES) this.from.pause();
    else this.from.resume();
    if (this.#ended && this.#queue.length === 0 && !stalled) this.to.end();
  }
}
