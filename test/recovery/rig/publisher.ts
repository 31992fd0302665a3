/** A client that asks its worker for numbered messages to rooms, and knows which of them were published. */
import { io, type Socket } from "socket.io-client";
import type { Scope } from "../../support/children.js";
import { waitFor, within } from "../../support/wait.js";

const TICK_MS = 20;
const FLOOD_MS = 120_000;

export class Publisher {
  readonly name: string;
  readonly pid: number;
  /** By room, the numbers whose publication was acknowledged. One that was not may have been published or not. */
  readonly published = new Map<string, number[]>();
  readonly #socket: Socket;
  readonly #rooms: readonly string[];
  #timer: NodeJS.Timeout | undefined;
  #asked = 0;
  #acked = 0;

  private constructor(name: string, socket: Socket, pid: number, rooms: readonly string[]) {
    this.name = name;
    this.pid = pid;
    this.#socket = socket;
    this.#rooms = rooms;
  }

  /** Connects until it is served by a process that fits. */
  static async on(
    scope: Scope,
    { url, name, rooms }: { readonly url: string; readonly name: string; readonly rooms: readonly string[] },
    fits: (pid: number) => boolean,
  ): Promise<Publisher> {
    const others: Socket[] = [];
    const found = await waitFor(
      async () => {
        const socket = io(url, { forceNew: true, transports: ["websocket"] });
        scope.after(() => void socket.disconnect());
        const { pid } = (await socket.timeout(10_000).emitWithAck("who")) as { pid: number };
        if (fits(pid)) return new Publisher(name, socket, pid, rooms);
        others.push(socket);
        return undefined;
      },
      { intervalMs: 0, message: "a worker for the publisher" },
    );
    for (const socket of others) socket.disconnect();
    return found as Publisher;
  }

  start(perSecond: number): void {
    const startedAtMs = performance.now();
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAtMs) / 1_000) * perSecond);
      while (this.#asked < due) this.#ask();
    }, TICK_MS);
  }

  /** @returns once what it asked for was acknowledged, or will not be */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const startedAtMs = performance.now();
    // An ack that a broken connection took along never comes.
    await waitFor(() => this.#acked === this.#asked || performance.now() - startedAtMs > 3_000);
  }

  /** Publishes so many messages to rooms that nobody is in. */
  async flood(count: number): Promise<void> {
    await within(this.#socket.emitWithAck("flood", count), FLOOD_MS, `${count} messages to be published`);
  }

  #ask(): void {
    const room = this.#rooms[this.#asked % this.#rooms.length] ?? "";
    const n = Math.floor(this.#asked++ / this.#rooms.length);
    this.#socket.emit("post", this.name, room, n, () => {
      this.#acked++;
      const numbers = this.published.get(room) ?? [];
      numbers.push(n);
      this.published.set(room, numbers);
    });
  }
}
