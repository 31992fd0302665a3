/** How many events a socket may send: so many at once, and at a steady rate then. Pure: the time is handed in. */
import { Budget } from "../routing/budget.js";

export interface EventLimits {
  readonly maxEventsPerSecond: number;
  readonly maxEventsBurst: number;
}

export type Verdict = "taken" | "refused" | "flood";

export class EventBudget {
  readonly #budget: Budget;
  readonly #maxRefused: number;
  /** Since there was room for a whole burst. */
  #refused = 0;

  constructor({ maxEventsPerSecond, maxEventsBurst }: EventLimits) {
    const burstMs = (maxEventsBurst * 1_000) / maxEventsPerSecond;
    this.#budget = new Budget({ count: maxEventsPerSecond, perMs: 1_000, burstMs });
    this.#maxRefused = maxEventsBurst;
  }

  /** @returns "flood" once as many as a burst have been refused and there was never room for a whole one again */
  take(nowMs: number): Verdict {
    if (this.#budget.isFull(nowMs)) this.#refused = 0;
    if (this.#budget.waitMs(nowMs) === 0) {
      this.#budget.take(nowMs);
      return "taken";
    }
    return ++this.#refused >= this.#maxRefused ? "flood" : "refused";
  }
}
