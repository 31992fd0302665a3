/** Clients that are connected before a storm, and measure how long an answer takes all along. They live in the test's own process. */
import { io, type Socket } from "socket.io-client";
import type { Scope } from "../support/children.js";
import { waitFor } from "../support/wait.js";

const EVERY_MS = 100;
const ANSWER_MS = 30_000;

export class Probes {
  readonly #sockets: readonly Socket[];
  #roundTrips: number[] = [];
  #lost = 0;
  disconnects = 0;

  private constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets;
  }

  static async start(scope: Scope, url: string, count: number): Promise<Probes> {
    const sockets = Array.from({ length: count }, () => io(url, { forceNew: true, transports: ["websocket"] }));
    const probes = new Probes(sockets);
    scope.after(() => sockets.forEach((socket) => void socket.close()));
    await waitFor(() => sockets.every((socket) => socket.connected), { timeoutMs: 60_000, message: "the probes" });
    for (const socket of sockets) socket.on("disconnect", () => probes.disconnects++);
    // One after another within the time, so that they make no burst themselves.
    let turn = 0;
    const timer = setInterval(() => probes.#ask(turn++), EVERY_MS / count);
    scope.after(() => clearInterval(timer));
    return probes;
  }

  /** What was measured since the last call. */
  take(): {
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
    readonly count: number;
    readonly lost: number;
  } {
    const sorted = this.#roundTrips.sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
    const taken = { p50: at(0.5), p99: at(0.99), max: at(1), count: sorted.length, lost: this.#lost };
    this.#roundTrips = [];
    this.#lost = 0;
    return taken;
  }

  #ask(turn: number): void {
    const socket = this.#sockets[turn % this.#sockets.length];
    const askedAtMs = performance.now();
    socket?.timeout(ANSWER_MS).emit("echo", turn, (error: Error | null) => {
      if (error === null) this.#roundTrips.push(performance.now() - askedAtMs);
      else this.#lost++;
    });
  }
}
