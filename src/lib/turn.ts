/**
 * When writes leave that may share a system call with others: at the end of a turn of the event loop, with all that has come together in it. The first
 * after a quiet time leave sooner, when the code that runs now is done: in a process that was asleep one more round of the event loop costs as much
 * as a write, and there is seldom anything to wait for.
 */
const QUIET_MS = 1;

export interface Ending {
  /** Writes what has come together. Does not throw. */
  endTurn(): void;
}

export class Turn {
  #endings: Ending[] = [];
  #isReading = false;
  #isScheduled = false;
  #lastEndMs = -Infinity;
  readonly #now: () => number;
  readonly #endScheduled = (): void => {
    this.#isScheduled = false;
    this.#end();
  };

  /** @param now a monotonic clock, in ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Bytes have come, and are about to be handled. */
  begin(): void {
    this.#isReading = true;
  }

  /** They are handled. */
  done(): void {
    this.#isReading = false;
    if (this.#endings.length === 0 || this.#isScheduled) return;
    if (this.#isQuiet()) this.#end();
    else this.#schedule();
  }

  /** Has `ending` called at the end of the turn, in the order of the calls; to be called once until then. */
  add(ending: Ending): void {
    this.#endings.push(ending);
    if (!this.#isReading && !this.#isScheduled) this.#schedule();
  }

  #schedule(): void {
    this.#isScheduled = true;
    if (this.#isQuiet()) process.nextTick(this.#endScheduled);
    else setImmediate(this.#endScheduled);
  }

  #isQuiet(): boolean {
    return this.#now() - this.#lastEndMs > QUIET_MS;
  }

  #end(): void {
    const endings = this.#endings;
    this.#endings = [];
    for (const ending of endings) ending.endTurn();
    this.#lastEndMs = this.#now();
  }
}
