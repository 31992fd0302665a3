/**
 * How late the event loop is. A timer is due after a while; how much later it runs is one sample, so a loop that was blocked for 5 s shows as one
 * sample of about 5 s. Each sample wakes the process, an idle one too, and that costs it more than the sample: so a loop that does little is looked at half
 * as often. Not less: of a stall shows what is beyond the look that was due, so with one look a second a stall of a second might show as nothing.
 */
import { performance } from "node:perf_hooks";

const BUSY_INTERVAL_MS = 250;
const QUIET_INTERVAL_MS = 500;
/** From this share of its time on a loop is busy. */
const BUSY_SHARE = 0.25;
/** So late a quiet loop is not. */
const QUIET_LAG_MS = 20;
/** Longest window that {@link LoopLag.recentMaxMs} can look back. */
const RETENTION_MS = 120_000;
/** Samples that {@link LoopLag.standingMs} looks at: of a busy loop about a second of them. */
const STANDING_SAMPLES = 5;

export interface LoopLagOptions {
  /** Between two samples of a loop that is busy. */
  readonly busyIntervalMs?: number;
  /** The same of one that is not. */
  readonly quietIntervalMs?: number;
  /** The share of its time that the loop has been at work since the last call, of 1. */
  readonly takeUtilization?: () => number;
  /** Called with each sample. */
  readonly onSample?: (lagMs: number) => void;
  /** A monotonic clock, in ms. */
  readonly now?: () => number;
}

export class LoopLag {
  readonly #busyIntervalMs: number;
  readonly #quietIntervalMs: number;
  readonly #takeUtilization: () => number;
  readonly #onSample: (lagMs: number) => void;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  /** Until the sample that is waited for. */
  #intervalMs: number;
  #lastTickMs: number;
  #lagMs = 0;
  #work: { readonly intervalMs: number; readonly run: () => void } | undefined;
  #workedAtMs = 0;
  /** The last samples, in no order. */
  readonly #last = new Array<number>(STANDING_SAMPLES).fill(0);
  #samples = 0;
  /** Samples that no later one has exceeded, oldest and largest first. */
  readonly #peaks: { readonly atMs: number; readonly lagMs: number }[] = [];

  /** Samples until {@link stop}; does not keep the process alive. */
  constructor({
    busyIntervalMs = BUSY_INTERVAL_MS,
    quietIntervalMs = QUIET_INTERVAL_MS,
    takeUtilization = utilizationOfLoop(),
    onSample = () => {},
    now = () => performance.now(),
  }: LoopLagOptions = {}) {
    this.#busyIntervalMs = this.#intervalMs = busyIntervalMs;
    this.#quietIntervalMs = quietIntervalMs;
    this.#takeUtilization = takeUtilization;
    this.#onSample = onSample;
    this.#now = now;
    this.#lastTickMs = now();
    this.#wait();
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

  /** What the timer does: takes a sample, and decides when to take the next. */
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
    // Until the last samples are as quiet as the loop: who decides by them would wait for seconds.
    const isBusy = this.#takeUtilization() >= BUSY_SHARE || this.standingMs > QUIET_LAG_MS;
    this.#intervalMs = isBusy ? this.#busyIntervalMs : this.#quietIntervalMs;
    if (this.#timer !== undefined) this.#wait();
    if (this.#work === undefined || nowMs - this.#workedAtMs < this.#work.intervalMs - this.#busyIntervalMs / 2) return;
    this.#workedAtMs = nowMs;
    this.#work.run();
  }

  /**
   * What is done at intervals, so that it wakes the process no more often than the samples do. One for each LoopLag; none from `undefined` on.
   * @param intervalMs as exact as the samples are; no shorter than those of a quiet loop
   */
  every(intervalMs: number, run: (() => void) | undefined): void {
    this.#work = run && { intervalMs, run };
    // A whole interval from now: what the process did to get here is out of the median of the last samples by then.
    this.#workedAtMs = this.#now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.tick(), this.#intervalMs);
    this.#timer.unref();
  }

  #lateBy(nowMs: number): number {
    return Math.max(0, nowMs - this.#lastTickMs - this.#intervalMs);
  }
}

function utilizationOfLoop(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
