/** When a worker slot is started again, and when that counts as a crash loop. Pure: time is handed in. */
import { backoffMs } from "../lib/backoff.js";

const DELAY = { firstMs: 100, maxMs: 30_000 };
/** A worker that lived this long has shown that it works. */
const STABLE_MS = 30_000;
/** Ends in a row, none of them stable, that make a loop. */
const LOOP_LENGTH = 5;

export class Restarts {
  #inARow = 0;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  get looping(): boolean {
    return this.#inARow >= LOOP_LENGTH;
  }

  /**
   * @param livedMs from ready to the end; 0 for one that never was ready
   * @returns how long to wait before the next start, in ms
   */
  ended(livedMs: number): number {
    this.#total++;
    this.#inARow = livedMs >= STABLE_MS ? 0 : this.#inARow + 1;
    // The first end after a good life is answered at once.
    return backoffMs(this.#inARow - 1, DELAY);
  }

  /** The slot's worker has been ready for {@link STABLE_MS}. */
  stable(): void {
    this.#inARow = 0;
  }

  static readonly stableMs = STABLE_MS;
}
