/** Whether the bus works, since when not and why, and how far behind it is. */
import type { Logger } from "pino";

export interface BusState {
  readonly up: boolean;
  /** Why not. */
  readonly reason: string | undefined;
  /** Time that an entry of this node took a moment ago, or has been taking, from its publishing until it came back. */
  readonly lagSeconds: number;
  readonly outboxBytes: number;
}

export interface BusHealthOptions {
  readonly log: Logger;
  readonly now: () => number;
}

/** Silence that is longer is an outage. */
export const SILENCE_MS = 2_000;
/** A lag that was measured longer ago says nothing about now: a node that publishes nothing would show that of its last outage for ever. */
const LAG_KEPT_MS = 15_000;
/** An error that is older tells nothing of an outage that begins. */
const RECENT_MS = 5_000;

export class BusHealth {
  readonly #options: BusHealthOptions;
  #up = false;
  #changedAtMs: number;
  #lastError: string | undefined;
  #failedAtMs = -Infinity;
  #pingedAtMs: number | undefined;
  /** An entry on its way, by which the lag is measured. */
  #sample: { n: number; atMs: number } | undefined;
  #lag = { ms: 0, measuredAtMs: -Infinity };
  #hasEchoed = false;
  #hasHeardEcho = false;
  readonly #waiters = new Set<() => void>();

  constructor(options: BusHealthOptions) {
    this.#options = options;
    this.#changedAtMs = options.now();
  }

  get up(): boolean {
    return this.#up;
  }

  state(outboxBytes: number): BusState {
    const nowMs = this.#options.now();
    const waitingMs = this.#sample === undefined ? 0 : nowMs - this.#sample.atMs;
    const measuredMs = nowMs - this.#lag.measuredAtMs < LAG_KEPT_MS ? this.#lag.ms : 0;
    return {
      up: this.#up,
      reason: this.#up ? undefined : this.#reason,
      lagSeconds: Math.max(measuredMs, waitingMs) / 1_000,
      outboxBytes,
    };
  }

  failed({ message }: Error): void {
    this.#lastError = message;
    this.#failedAtMs = this.#options.now();
  }

  appended(n: number): void {
    this.#sample ??= { n, atMs: this.#options.now() };
  }

  /** An entry of this node has come back. */
  echoed(n: number): void {
    this.#hasEchoed = true;
    this.#hasHeardEcho = true;
    if (this.#sample === undefined || n < this.#sample.n) return;
    const measuredAtMs = this.#options.now();
    this.#lag = { ms: measuredAtMs - this.#sample.atMs, measuredAtMs };
    this.#sample = undefined;
  }

  /** Whether entries of this node have come back since the last call: Redis takes them and hands them out, and need not be asked. */
  takeEchoes(): boolean {
    const hasHeard = this.#hasHeardEcho;
    this.#hasHeardEcho = false;
    return hasHeard;
  }

  ping(answer: Promise<unknown>): void {
    this.#pingedAtMs ??= this.#options.now();
    answer.then(
      () => (this.#pingedAtMs = undefined),
      (error: Error) => {
        this.#pingedAtMs = undefined;
        this.failed(error);
      },
    );
  }

  /** Looks whether the state has changed. */
  check(isUp: () => boolean): void {
    const { log, now } = this.#options;
    const up = this.#hasEchoed && !this.#isSilent && isUp();
    if (up === this.#up) return;
    const seconds = Math.round(now() - this.#changedAtMs) / 1_000;
    this.#up = up;
    this.#changedAtMs = now();
    if (up) {
      this.#lastError = undefined;
      log.info({ afterSeconds: seconds }, "bus up");
      for (const resolve of this.#waiters) resolve();
    } else {
      if (now() - this.#failedAtMs > RECENT_MS) this.#lastError = undefined;
      this.#logDown();
    }
  }

  /** @returns whether it is up before the time is over */
  async untilUp(timeoutMs: number): Promise<boolean> {
    if (this.#up) return true;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve(this.#up);
      };
      const timer = setTimeout(() => {
        this.#logDown();
        done();
      }, timeoutMs);
      this.#waiters.add(done);
    });
  }

  /** How long Redis has left a ping unanswered; 0 where it has not. */
  get silentMs(): number {
    return this.#pingedAtMs === undefined ? 0 : this.#options.now() - this.#pingedAtMs;
  }

  get #isSilent(): boolean {
    return this.silentMs > SILENCE_MS;
  }

  get #reason(): string {
    if (this.#isSilent) return "Redis does not answer";
    return this.#lastError ?? (this.#hasEchoed ? "Redis cannot be reached" : "Redis has not answered yet");
  }

  #logDown(): void {
    this.#options.log.error({ reason: this.#reason }, "bus down: other nodes are out of reach, local traffic goes on");
  }
}
