/** Waits until this node has read what others had written. */
import { compareIds } from "../lib/stream-id.js";

/** How far the stream must have been read. */
export interface Mark {
  /** Up to this id. */
  readonly id?: string | undefined;
  /** Up to the entry of that number at that source. */
  readonly source?: { readonly uid: string; readonly n: number } | undefined;
}

export interface BarrierOptions {
  /** Id of the last entry that was read; undefined before the first position is known. */
  readonly position: () => string | undefined;
  /** Number of the last entry that was read of a source; 0 where none was. */
  readonly lastOf: (uid: string) => number;
}

interface Waiting {
  readonly mark: Mark;
  readonly done: (reached: boolean) => void;
}

export class Barrier {
  readonly #options: BarrierOptions;
  readonly #waiting = new Set<Waiting>();

  constructor(options: BarrierOptions) {
    this.#options = options;
  }

  /** @returns whether it was reached before the time was over */
  async reached(mark: Mark, timeoutMs: number): Promise<boolean> {
    if (this.#isReached(mark)) return true;
    return new Promise((resolve) => {
      const done = (reached: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        resolve(reached);
      };
      const waiting: Waiting = { mark, done };
      const timer = setTimeout(() => done(false), timeoutMs);
      this.#waiting.add(waiting);
    });
  }

  /** Something was read. */
  check(): void {
    for (const { mark, done } of this.#waiting) if (this.#isReached(mark)) done(true);
  }

  /** Nobody waits any longer. */
  stop(): void {
    for (const { done } of this.#waiting) done(false);
  }

  #isReached({ id, source }: Mark): boolean {
    const { position, lastOf } = this.#options;
    if (source !== undefined && lastOf(source.uid) < source.n) return false;
    if (id === undefined) return true;
    const at = position();
    return at !== undefined && compareIds(at, id) >= 0;
  }
}
