/**
 * When clients are written to: once for each turn of the event loop, or for each window of some milliseconds, whatever number of packets came
 * together for them in it. One client then costs one system call, and what the turn published goes to the hub in one piece before that.
 */
import type { Ending, Turn } from "../lib/turn.js";

export interface TurnWriter {
  /** Writes what has come together. */
  write(): void;
}

export interface WriteTurnOptions {
  readonly turn: Turn;
  /** How long packets may wait for others; 0: until the turn of the event loop ends. */
  readonly batchMs: number;
  /** Called before anything is written: whoever hears an ack may speak next, so what was published before it leaves first. */
  readonly beforeWrite: () => void;
}

export class WriteTurn implements Ending {
  readonly beforeWrite: () => void;
  readonly #turn: Turn;
  readonly #batchMs: number;
  #writers: TurnWriter[] = [];

  constructor({ turn, batchMs, beforeWrite }: WriteTurnOptions) {
    this.#turn = turn;
    this.#batchMs = batchMs;
    this.beforeWrite = beforeWrite;
  }

  /** Has `writer` write at the end of the turn; to be called once until then. */
  add(writer: TurnWriter): void {
    if (this.#writers.push(writer) > 1) return;
    if (this.#batchMs === 0) this.#turn.add(this);
    else setTimeout(() => this.endTurn(), this.#batchMs);
  }

  endTurn(): void {
    const writers = this.#writers;
    this.#writers = [];
    this.beforeWrite();
    for (const writer of writers) writer.write();
  }
}
