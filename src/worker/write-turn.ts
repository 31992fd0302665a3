/**
 * When clients are written to: once for each turn of the event loop, or for each window of some milliseconds, whatever number of packets came
 * together for them in it. One client then costs one system call, and what the turn published goes to the hub in one piece before that.
 *
 * Where writing itself is most of the work, turns are too short for much to come together in them: so after a long writing there is a pause, in
 * proportion to it, before the next. What goes to other workers waits along ({@link ./event-outlet.ts}).
 */
import { MIN_WAIT_MS } from "../lib/pace.js";
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
  /** A monotonic clock, in ms. */
  readonly now?: () => number;
}

/** Of the time that writing took: up to half a millisecond of it at once, a ninth of a worker's time at most goes into writing. */
const PAUSE_SHARE = 8;
const MAX_PAUSE_MS = 4;
/** Fewer writers than this are done before a pause would be worth it, and without a look at the clock. */
const MANY_WRITERS = 16;

export class WriteTurn implements Ending {
  readonly beforeWrite: () => void;
  readonly #turn: Turn;
  readonly #batchMs: number;
  readonly #now: () => number;
  #writers: TurnWriter[] = [];
  #pausesUntilMs = -Infinity;

  constructor({ turn, batchMs, beforeWrite, now = () => performance.now() }: WriteTurnOptions) {
    this.#turn = turn;
    this.#batchMs = batchMs;
    this.beforeWrite = beforeWrite;
    this.#now = now;
  }

  /** Has `writer` write at the end of the turn; to be called once until then. */
  add(writer: TurnWriter): void {
    if (this.#writers.push(writer) > 1) return;
    const pauseMs = this.#pausesUntilMs === -Infinity ? 0 : this.#pausesUntilMs - this.#now();
    const waitMs = Math.max(this.#batchMs, pauseMs);
    if (waitMs < MIN_WAIT_MS) this.#turn.add(this);
    else setTimeout(() => this.endTurn(), waitMs);
  }

  endTurn(): void {
    const writers = this.#writers;
    this.#writers = [];
    this.beforeWrite();
    if (writers.length < MANY_WRITERS) {
      for (const writer of writers) writer.write();
      this.#pausesUntilMs = -Infinity;
      return;
    }
    const startedAtMs = this.#now();
    for (const writer of writers) writer.write();
    const endedAtMs = this.#now();
    this.#pausesUntilMs = endedAtMs + Math.min(MAX_PAUSE_MS, PAUSE_SHARE * (endedAtMs - startedAtMs));
  }
}
