/** How long it is worth waiting for more to come: where there is much traffic, what comes together costs one process one look. */

/** A shorter wait is none: Node's timers are no finer. */
export const MIN_WAIT_MS = 1;
/** Over this time the traffic is averaged. */
const TRAFFIC_MS = 100;

export interface PaceOptions {
  /** The longest wait, in ms; 0: none. */
  readonly maxMs: number;
  /** Fewer in the longest wait are not worth one. */
  readonly min: number;
  /** So many together are enough. */
  readonly enough: number;
  /** A monotonic clock, in ms. */
  readonly now: () => number;
}

export class Pace {
  readonly #options: PaceOptions;
  /** A millisecond. */
  #traffic = 0;
  #notedAtMs: number;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#notedAtMs = options.now();
  }

  /** So many have come since the last call. */
  note(count: number): void {
    const nowMs = this.#options.now();
    const forMs = nowMs - this.#notedAtMs;
    this.#notedAtMs = nowMs;
    this.#traffic = this.#traffic * Math.max(0, 1 - forMs / TRAFFIC_MS) + count / Math.max(forMs, TRAFFIC_MS);
  }

  /** How long to wait for the next; 0: not at all. */
  get waitMs(): number {
    const { maxMs, min, enough } = this.#options;
    return this.#traffic * maxMs < min ? 0 : Math.min(maxMs, enough / this.#traffic);
  }
}
