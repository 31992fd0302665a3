/** Where connections go: to the worker that holds a session's slot, or, for what is new, to the one with the least to do. */
import { maxConnectionsOf } from "../access/handshake-budget.js";
import type { Config } from "../config/config.js";
import { chooseForSession } from "../routing/admission.js";
import { leastLoaded } from "../routing/load.js";
import type { Entry, Targets } from "./front.js";
import type { WorkerProcess } from "./worker-process.js";

export interface PlacementOptions {
  readonly config: Pick<Config, "access" | "workers">;
  readonly now: () => number;
  /** The node holds as many sessions as it may, or no longer does. */
  readonly onFull: (full: boolean) => void;
}

export class Placement implements Targets {
  readonly #options: PlacementOptions;
  #workers: readonly WorkerProcess[] = [];
  #ready: readonly WorkerProcess[] = [];
  #bySlot: ReadonlyMap<number, WorkerProcess> = new Map();
  #turn = 0;
  #wasFull = false;

  constructor(options: PlacementOptions) {
    this.#options = options;
  }

  /** Call with the workers that live, whenever one of them has changed its state. */
  update(workers: readonly WorkerProcess[]): void {
    this.#workers = workers;
    this.#ready = workers.filter(({ state }) => state === "ready");
    // Those that drain serve the sessions they have.
    this.#bySlot = new Map(workers.filter(({ holdsSessions }) => holdsSessions).map((worker) => [worker.slot, worker]));
  }

  get ready(): readonly WorkerProcess[] {
    return this.#ready;
  }

  /** The worker that holds the sessions of a slot. */
  owner(slot: number): WorkerProcess | undefined {
    return this.#bySlot.get(slot);
  }

  next(maxWaiting: number): WorkerProcess | undefined {
    const loadOf = (worker: WorkerProcess): number =>
      worker.waiting >= maxWaiting ? Number.MAX_SAFE_INTEGER : worker.sessions + worker.waiting;
    return leastLoaded(this.#ready, loadOf, this.#turn++);
  }

  enter(maxWaiting: number): Entry<WorkerProcess> {
    if (this.checkFull()) return "full";
    const { config, now } = this.#options;
    const nowMs = now();
    const place = chooseForSession(this.#ready, { maxWaiting, ...config.access }, nowMs, this.#turn++);
    if (typeof place === "string") return place;
    const { candidate: target, waitMs } = place;
    target.budget.take(nowMs);
    target.expectSession();
    return { target, waitMs };
  }

  /** Whether the node holds as many sessions as it may. */
  get isFull(): boolean {
    let sessions = 0;
    for (const worker of this.#workers) sessions += worker.sessions;
    return sessions >= maxConnectionsOf(this.#options.config);
  }

  /** The same, and tells where that has changed. */
  checkFull(): boolean {
    const { isFull } = this;
    if (isFull !== this.#wasFull) this.#options.onFull((this.#wasFull = isFull));
    return isFull;
  }
}
