/**
 * Starts the workers, replaces those that end, ends those that hang. It decides about processes only: what a worker's end means for sessions and
 * requests is told to its handler.
 */
import path from "node:path";
import type { Logger } from "pino";
import type { Config } from "../config/config.js";
import type { Boot, Direct, Sibling } from "../link/messages.js";
import { MAX_SLOTS } from "../routing/address.js";
import { slotPortOf } from "../routing/slot-ports.js";
import { forkWorker, type WorkerExit } from "./fork-worker.js";
import type { Connection } from "./handoff.js";
import { Placement } from "./placement.js";
import { Restarts } from "./restarts.js";
import { SlotRestarts } from "./slot-restarts.js";
import type { WorkerLink } from "./worker-link.js";
import type { ExitCause, WorkerProcess } from "./worker-process.js";
import { freeSlots, WorkerSet } from "./worker-set.js";

const TICK_MS = 1_000;

export interface SupervisorHandler {
  /** The set of ready workers has changed. */
  onChange(): void;
  /** The node holds as many sessions as it may, or no longer does. */
  onFull(full: boolean): void;
  onExit(worker: WorkerProcess, cause: ExitCause | undefined): void;
  onHandedOver(worker: WorkerProcess, connection: Connection): void;
  onReturned(connections: readonly Connection[]): void;
}

export interface SupervisorOptions {
  readonly config: Config;
  readonly nodeId: number;
  /** As in {@link Boot}. */
  readonly uid: string;
  /** Folder of this node's Unix sockets. */
  readonly socketDir: string;
  readonly hubPath: string;
  /** As in {@link Boot}. */
  readonly direct: Direct | null;
  readonly log: Logger;
  readonly handler: SupervisorHandler;
  readonly now: () => number;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #restarts: SlotRestarts;
  /** Where connections go. */
  readonly placement: Placement;
  #nextWid = 1;
  #ticker: NodeJS.Timeout | undefined;
  /** What workers are started with: that of the last reload. */
  #config: Config;
  /** Slots of the workers in service, which are filled again. */
  #wanted: ReadonlySet<number> = new Set();
  /** Workers that start and are not in service yet. */
  #starting: WorkerSet | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#restarts = new SlotRestarts(options.log, (slot) => this.#fork(slot, this.#config));
    const { config, now, handler } = options;
    this.placement = new Placement({ config, now, onFull: (full) => handler.onFull(full) });
  }

  /** Workers that should be in service. */
  get wanted(): number {
    return this.#wanted.size;
  }

  get workers(): readonly WorkerProcess[] {
    return [...this.#workers.values()];
  }

  /** Slots that wait for their next start. */
  get backingOff(): number {
    return this.#restarts.waiting.length;
  }

  /** Slots without a worker that wait for none: those of a node that stops. */
  get vacant(): number {
    const taken = this.#takenSlots();
    return [...this.#wanted].filter((slot) => !taken.has(slot)).length;
  }

  /** Slots whose workers end again and again. */
  get looping(): readonly number[] {
    return this.#restarts.looping;
  }

  restartsOf(slot: number): number {
    return this.#restarts.totalOf(slot);
  }

  /** @returns once every worker is in service. Rejects with the reason of the first that cannot start. */
  async start(): Promise<void> {
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    await this.#startSet(this.#config);
  }

  /**
   * Starts a full new set of workers, and puts it into service in place of the workers there are, which drain from then on.
   * @returns the workers that drain
   * @throws Error where one of the new workers does not become ready: the old ones stay
   */
  async replaceAll(config: Config): Promise<readonly WorkerProcess[]> {
    if (this.#starting !== undefined) throw new Error("workers are being started already");
    return await this.#startSet(config);
  }

  /** Links of the workers that have opened theirs. */
  get links(): readonly WorkerLink[] {
    return [...this.#workers.values()].flatMap(({ link }) => (link === undefined ? [] : [link]));
  }

  /** The workers that hold sessions, as their siblings must know them. */
  get siblings(): readonly Sibling[] {
    return this.workers
      .filter(({ holdsSessions }) => holdsSessions)
      .map(({ slot, listenPath }) => ({ slot, path: listenPath }));
  }

  /** Whether a worker of that wid lives and has no link yet. */
  awaitsLink(wid: number): boolean {
    const worker = this.#workers.get(wid);
    return worker !== undefined && worker.link === undefined;
  }

  linked(link: WorkerLink): void {
    const worker = this.#workers.get(link.wid);
    if (worker !== undefined) worker.link = link;
  }

  byWid(wid: number): WorkerProcess | undefined {
    return this.#workers.get(wid);
  }

  markReady(worker: WorkerProcess): void {
    if (worker.state !== "starting") return;
    worker.readyAtMs = this.#options.now();
    this.#options.log.info({ slot: worker.slot, wid: worker.wid, pid: worker.pid }, "worker ready");
    if (this.#starting?.workers.has(worker) === true) {
      // Into service with the whole set.
      this.#starting.markReady(worker);
    } else {
      worker.state = "ready";
      this.#changed();
    }
    setTimeout(() => {
      if (worker.state === "ready") this.#restarts.stable(worker.slot);
    }, Restarts.stableMs).unref();
  }

  /** Nothing is sent to it any more: requests for its sessions, which are gone, are answered by others. */
  markDrained(worker: WorkerProcess): void {
    worker.hasDrained = true;
    this.#changed();
    worker.tellLast();
  }

  /** Takes every worker out of service: no new sessions, and no replacement for those that end. */
  retire(): void {
    this.#retire(this.workers);
    this.#starting?.fail(new Error("the node stops"));
    this.#changed();
  }

  /** @returns once that worker has ended; it is killed when it takes longer */
  async ended(worker: WorkerProcess, timeoutMs: number): Promise<void> {
    if (!this.#workers.has(worker.wid)) return;
    const timer = setTimeout(() => {
      this.#options.log.warn(
        { slot: worker.slot, pid: worker.pid, timeoutMs },
        "worker killed: it did not end in time",
      );
      worker.kill("SIGKILL");
    }, timeoutMs);
    await worker.hasEnded;
    clearTimeout(timer);
  }

  /** Ends the watch over workers. */
  close(): void {
    clearInterval(this.#ticker);
  }

  async #startSet(config: Config): Promise<readonly WorkerProcess[]> {
    const set = new WorkerSet(freeSlots(config.workers, this.#takenSlots(), MAX_SLOTS));
    this.#starting = set;
    const before = this.workers;
    try {
      for (const slot of set.slots) set.workers.add(this.#fork(slot, config));
      await set.settled;
    } catch (error) {
      for (const worker of set.workers) {
        worker.state = "draining";
        worker.kill("SIGKILL");
      }
      throw error;
    } finally {
      this.#starting = undefined;
    }
    this.#retire(before);
    this.#config = config;
    this.#wanted = new Set(set.slots);
    for (const worker of set.workers) worker.state = "ready";
    this.#changed();
    return before.filter(({ state }) => state === "draining");
  }

  #retire(workers: readonly WorkerProcess[]): void {
    for (const worker of workers) worker.state = "draining";
    this.#restarts.clear();
  }

  #takenSlots(): Set<number> {
    return new Set([...this.#restarts.waiting, ...this.workers.map(({ slot }) => slot)]);
  }

  #fork(slot: number, config: Config): WorkerProcess {
    const { nodeId, uid, socketDir, hubPath, direct, log, now } = this.#options;
    const wid = this.#nextWid++;
    const boot: Boot = {
      type: "limpet:boot",
      wid,
      slot,
      nodeId,
      uid,
      config,
      hubPath,
      listenPath: path.join(socketDir, `w${wid}.sock`),
      slotPort: slotPortOf(this.#options.config, slot),
      direct,
    };
    const handler = { ...this.#options.handler, onExit: this.#onExit };
    const worker = forkWorker(boot, handler, log, now);
    this.#workers.set(wid, worker);
    const readyTimer = setTimeout(() => {
      if (worker.state === "starting") this.#end(worker, "not_ready", "worker killed: it was not ready in time");
    }, config.supervisor.readyTimeoutMs);
    void worker.hasEnded.then(() => clearTimeout(readyTimer));
    return worker;
  }

  readonly #onExit = (worker: WorkerProcess, { code, signal, failure }: WorkerExit): void => {
    const { log, handler, now } = this.#options;
    const { slot, wid, pid } = worker;
    const expected = worker.state === "draining";
    const cause: ExitCause | undefined = expected
      ? undefined
      : (worker.endedBy ?? (signal === null ? "crash" : "killed"));
    this.#workers.delete(wid);
    // First nobody is sent to it any more, then what waited for it goes to others.
    this.#changed();
    worker.ended();
    handler.onExit(worker, cause);
    if (failure !== undefined)
      log.error({ slot, where: failure.where, stack: failure.stack }, `worker could not start: ${failure.message}`);
    if (cause === undefined) return;
    log.error({ slot, wid, pid, code, signal, cause }, "worker ended unexpectedly");
    if (this.#starting?.workers.has(worker) === true) {
      const { readyTimeoutMs } = this.#config.supervisor;
      const how = cause === "not_ready" ? `was not ready within ${readyTimeoutMs} ms` : endOf(code, signal);
      this.#starting.fail(new StartError(failure?.message ?? `a worker ${how}`, failure?.where));
      return;
    }
    this.#restarts.ended(slot, worker.readyAtMs === undefined ? 0 : now() - worker.readyAtMs);
  };

  #tick(): void {
    this.placement.checkFull();
    const { socketio, supervisor } = this.#config;
    const hangMs = supervisor.hangTimeoutMs ?? socketio.pingInterval + socketio.pingTimeout + 5_000;
    for (const worker of this.#workers.values()) {
      if (worker.state !== "ready") continue;
      worker.silentTicks++;
      if (worker.silentTicks * TICK_MS > hangMs) this.#end(worker, "hang", "worker killed: it hangs");
    }
  }

  #end(worker: WorkerProcess, cause: ExitCause, message: string): void {
    if (worker.endedBy !== undefined) return;
    worker.endedBy = cause;
    this.#options.log.error({ slot: worker.slot, pid: worker.pid, cause }, message);
    worker.kill("SIGKILL");
  }

  #changed(): void {
    this.placement.update(this.workers);
    this.#options.handler.onChange();
  }
}

/** A node whose workers cannot start ends; this says why. `where` is the place in the app, where it is known. */
export class StartError extends Error {
  readonly where: string | undefined;

  constructor(message: string, where: string | undefined) {
    super(message);
    this.name = "StartError";
    this.where = where;
  }
}

function endOf(code: number | null, signal: NodeJS.Signals | null): string {
  return `ended before it was ready (${signal ?? `exit code ${code}`})`;
}
