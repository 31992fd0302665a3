/** Warnings that clients can cause: of each kind one line a second at most, which tells how many there were since the last. */
import type { Logger } from "pino";

const EVERY_MS = 1_000;

export class BoundedLog {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #kinds = new Map<string, { lastMs: number; unsaid: number }>();

  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** @param message its kind as well, so nothing of a client's */
  warn(fields: Readonly<Record<string, unknown>>, message: string): void {
    const nowMs = this.#now();
    const kind = this.#kinds.get(message);
    if (kind === undefined) {
      this.#kinds.set(message, { lastMs: nowMs, unsaid: 0 });
      this.#log.warn(fields, message);
    } else if (nowMs - kind.lastMs < EVERY_MS) {
      kind.unsaid++;
    } else {
      this.#log.warn(kind.unsaid === 0 ? fields : { ...fields, unsaid: kind.unsaid }, message);
      kind.lastMs = nowMs;
      kind.unsaid = 0;
    }
  }
}
