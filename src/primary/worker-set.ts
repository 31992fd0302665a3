/** Workers that start together and go into service together: the node's first, and those of a reload. The first that fails fails the set. */
import type { WorkerProcess } from "./worker-process.js";

export class WorkerSet {
  readonly slots: readonly number[];
  readonly workers = new Set<WorkerProcess>();
  readonly #ready = new Set<WorkerProcess>();
  /** Resolves when all are ready; rejects with the reason of the first that is not. */
  readonly settled: Promise<void>;
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  constructor(slots: readonly number[]) {
    this.slots = slots;
    this.settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  markReady(worker: WorkerProcess): void {
    this.#ready.add(worker);
    if (this.#ready.size === this.slots.length) this.#resolve();
  }

  fail(error: Error): void {
    this.#reject(error);
  }
}

/** The lowest slots that nobody has. @throws RangeError where there are not so many */
export function freeSlots(count: number, taken: ReadonlySet<number>, maxSlots: number): number[] {
  const free: number[] = [];
  for (let slot = 0; slot < maxSlots && free.length < count; slot++) if (!taken.has(slot)) free.push(slot);
  if (free.length < count)
    throw new RangeError(`${count} workers need as many free slots, and there are ${free.length}`);
  return free;
}
