/**
 * How many of something may pass in a time, evenly spread: a token bucket, kept as the one time at which it will be full again (GCRA). What comes too
 * early is told how long it would have to wait.
 *
 * Pure: time is handed in.
 */
export interface BudgetOptions {
  /** How many pass in `perMs`; null: all. */
  readonly count: number | null;
  readonly perMs: number;
  /** How much of the time's share may pass at once; one does in any case. */
  readonly burstMs: number;
  /** Of what is counted although there was no room, this much is remembered at most. */
  readonly maxDebtMs?: number;
}

/** A sum of shares of a second may be off by so much. */
const ROUNDING_MS = 1e-6;

export class Budget {
  /** Time that one costs. */
  readonly #costMs: number;
  readonly #burstMs: number;
  readonly #maxDebtMs: number;
  /** When all that was taken is paid for. */
  #paidAtMs = -Infinity;

  constructor({ count, perMs, burstMs, maxDebtMs = Infinity }: BudgetOptions) {
    this.#costMs = count === null ? 0 : perMs / count;
    this.#burstMs = Math.max(0, burstMs - this.#costMs);
    this.#maxDebtMs = maxDebtMs;
  }

  /** How long the next one would have to wait; 0 where it may pass now. */
  waitMs(nowMs: number): number {
    const waitMs = this.#paidAtMs - this.#burstMs - nowMs;
    return waitMs < ROUNDING_MS ? 0 : waitMs;
  }

  /** Counts one, whether there is room for it or not. */
  take(nowMs: number): void {
    const paidAtMs = Math.max(this.#paidAtMs, nowMs) + this.#costMs;
    this.#paidAtMs = Math.min(paidAtMs, nowMs + this.#burstMs + this.#costMs + this.#maxDebtMs);
  }

  /** Whether nothing of what was taken is left to be paid for. */
  isFull(nowMs: number): boolean {
    return this.#paidAtMs <= nowMs;
  }
}
