/** How many events a socket may send: a bucket that is full at first and refills at a steady rate. Pure: the time is handed in. */

export interface EventLimits {
  readonly maxEventsPerSecond: number;
  readonly maxEventsBurst: number;
}

export type Verdict = "taken" | "refused" | "flood";

export class EventBudget {
  readonly #limits: EventLimits;
  #left: number;
  #atMs: number;
  /** Since the bucket was full. */
  #refused = 0;

  constructor(limits: EventLimits, nowMs: number) {
    this.#limits = limits;
    this.#left = limits.maxEventsBurst;
    this.#atMs = nowMs;
  }

  /** @returns "flood" once as many as a burst have been refused while the bucket was never full again */
  take(nowMs: number): Verdict {
    const { maxEventsPerSecond, maxEventsBurst } = this.#limits;
    this.#left += ((nowMs - this.#atMs) / 1_000) * maxEventsPerSecond;
    this.#atMs = nowMs;
    if (this.#left >= maxEventsBurst) {
      this.#left = maxEventsBurst;
      this.#refused = 0;
    }
    if (this.#left >= 1) {
      this.#left--;
      return "taken";
    }
    return ++this.#refused >= maxEventsBurst ? "flood" : "refused";
  }
}
