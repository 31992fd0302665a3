/** Slots whose workers ended unexpectedly: when each is started again, and how often it was. */
import type { Logger } from "pino";
import { Restarts } from "./restarts.js";

export class SlotRestarts {
  readonly #log: Logger;
  readonly #start: (slot: number) => void;
  readonly #restarts = new Map<number, Restarts>();
  readonly #pauses = new Map<number, NodeJS.Timeout>();

  /** @param start starts a worker in the slot */
  constructor(log: Logger, start: (slot: number) => void) {
    this.#log = log;
    this.#start = start;
  }

  /** Slots that wait for their next start. */
  get waiting(): readonly number[] {
    return [...this.#pauses.keys()];
  }

  /** Slots whose workers end again and again. */
  get looping(): readonly number[] {
    return [...this.#restarts].filter(([, restarts]) => restarts.looping).map(([slot]) => slot);
  }

  totalOf(slot: number): number {
    return this.#restarts.get(slot)?.total ?? 0;
  }

  /** The slot's worker has been ready for {@link Restarts.stableMs}. */
  stable(slot: number): void {
    this.#restarts.get(slot)?.stable();
  }

  /** @param livedMs as in {@link Restarts.ended} */
  ended(slot: number, livedMs: number): void {
    let restarts = this.#restarts.get(slot);
    if (restarts === undefined) this.#restarts.set(slot, (restarts = new Restarts()));
    const delayMs = restarts.ended(livedMs);
    if (restarts.looping) this.#log.error({ slot, delayMs, restarts: restarts.total }, "worker ends again and again");
    const pause = setTimeout(() => {
      this.#pauses.delete(slot);
      this.#start(slot);
    }, delayMs);
    this.#pauses.set(slot, pause);
  }

  /** Nothing is started again, and what was is forgotten. */
  clear(): void {
    for (const pause of this.#pauses.values()) clearTimeout(pause);
    this.#pauses.clear();
    this.#restarts.clear();
  }
}
