/**
 * How late the event loop is. A timer is due every {@link INTERVAL_MS}; how much later it runs is one sample, so a loop that was blocked
 * for 5 s shows as one sample of about 5 s. Each sample wakes the process, an idle one too: four a second are a fifth of what twenty cost.
 */
const INTERVAL_MS = 250;
/** Longest window that {@link LoopLag.recentMaxMs} can look back. */
const RETENTION_MS = 120_000;
/** Samples that {@link LoopLag.standingMs} looks at: about a second of them. */
const STANDING_SAMPLES = 5;

export interface LoopLagOptions {
  readonly intervalMs?: number;
  /** Called with each sample. */
  readonly onSample?: (lagMs: number) => void;
  /** A monotonic clock, in ms. */
  readonly now?: () => number;
}

export class LoopLag {
  readonly #intervalMs: number;
  readonly #onSample: (lagMs: number) => void;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #lastTickMs: number;
  #lagMs = 0;
  #then: ((samples: number) => void) | undefined;
  /** The last samples, in no order. */
  readonly #last = new Array<number>(STANDING_SAMPLES).fill(0);
  #samples = 0;
  /** Samples that no later one has exceeded, oldest and largest first. */
  readonly #peaks: { readonly atMs: number; readonly lagMs: number }[] = [];

  /** Samples until {@link stop}; does not keep the process alive. */
  constructor({ intervalMs = INTERVAL_MS, onSample = () => {}, now = () => performance.now() }: LoopLagOptions = {}) {
    this.#intervalMs = intervalMs;
    this.#onSample = onSample;
    this.#now = now;
    this.#lastTickMs = now();
    this.#timer = setInterval(() => this.tick(), intervalMs);
    this.#timer.unref();
  }

  /** The last sample. */
  get lagMs(): number {
    return this.#lagMs;
  }

  /** The largest lag in the last `windowMs` (at most two minutes), a stall that has only just ended included. */
  recentMaxMs(windowMs: number): number {
    const nowMs = this.#now();
    const peak = this.#peaks.find(({ atMs }) => atMs >= nowMs - windowMs);
    return Math.max(peak?.lagMs ?? 0, this.#lateBy(nowMs));
  }

  /** The median of the last five samples: what one stall does not show in, and a loop that always has more to do than time does. */
  get standingMs(): number {
    return this.#last.toSorted((a, b) => a - b)[Math.floor(STANDING_SAMPLES / 2)] ?? 0;
  }

  /** What the timer does: takes a sample. */
  tick(): void {
    const nowMs = this.#now();
    const lagMs = this.#lateBy(nowMs);
    this.#lastTickMs = nowMs;
    this.#lagMs = lagMs;
    this.#last[this.#samples++ % STANDING_SAMPLES] = lagMs;
    while ((this.#peaks.at(-1)?.lagMs ?? Infinity) <= lagMs) this.#peaks.pop();
    this.#peaks.push({ atMs: nowMs, lagMs });
    while ((this.#peaks[0]?.atMs ?? Infinity) < nowMs - RETENTION_MS) this.#peaks.shift();
    this.#onSample(lagMs);
    this.#then?.(this.#samples);
  }

  /**
   * What is done at intervals, so that it wakes the process no more often than the samples do. One for each LoopLag; none from `undefined` on.
   * @param intervalMs a multiple of the samples' own
   */
  every(intervalMs: number, work: (() => void) | undefined): void {
    const samples = intervalMs / this.#intervalMs;
    // A whole interval from now: what the process did to get here is out of the median of the last samples by then.
    const from = this.#samples;
    this.#then = work && ((count) => void ((count - from) % samples === 0 && work()));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #lateBy(nowMs: number): number {
    return Math.max(0, nowMs - this.#lastTickMs - this.#intervalMs);
  }
}
