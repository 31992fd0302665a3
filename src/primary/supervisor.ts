/**
 * Starts the workers, replaces those that end, ends those that hang. It decides about processes only: what a worker's end means for sessions and
 * requests is told to its handler.
 */
import cluster from "node:cluster";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import type { Config } from "../config/config.js";
import type { Boot, BootFailure, Sibling } from "../link/messages.js";
import { leastLoaded } from "../routing/load.js";
import type { Connection } from "./handoff.js";
import { Restarts } from "./restarts.js";
import type { WorkerLink } from "./worker-link.js";
import type { ExitCause } from "./worker-process.js";
import { WorkerProcess } from "./worker-process.js";

const TICK_MS = 1_000;

export interface SupervisorHandler {
  /** The set of ready workers has changed. */
  onChange(): void;
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
  readonly log: Logger;
  readonly handler: SupervisorHandler;
  readonly now: () => number;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #restarts = new Map<number, Restarts>();
  /** Slots that wait for their next start. */
  readonly #pauses = new Map<number, NodeJS.Timeout>();
  readonly #hangMs: number;
  #ready: readonly WorkerProcess[] = [];
  #bySlot = new Map<number, WorkerProcess>();
  #nextWid = 1;
  #turn = 0;
  #ticker: NodeJS.Timeout | undefined;
  #stopping: (() => void) | undefined;
  /** Set while the first set of workers starts: the first failure ends the node. */
  #starting: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { socketio, supervisor } = options.config;
    this.#hangMs = supervisor.hangTimeoutMs ?? socketio.pingInterval + socketio.pingTimeout + 5_000;
  }

  get workers(): readonly WorkerProcess[] {
    return [...this.#workers.values()];
  }

  get ready(): readonly WorkerProcess[] {
    return this.#ready;
  }

  get backingOff(): number {
    return this.#pauses.size;
  }

  /** Slots without a worker that wait for none: those of a node that stops. */
  get vacant(): number {
    const taken = new Set([...this.#pauses.keys(), ...this.workers.map(({ slot }) => slot)]);
    return Math.max(0, this.#options.config.workers - taken.size);
  }

  /** Slots whose workers end again and again. */
  get looping(): readonly number[] {
    return [...this.#restarts].filter(([, restarts]) => restarts.looping).map(([slot]) => slot);
  }

  restartsOf(slot: number): number {
    return this.#restarts.get(slot)?.total ?? 0;
  }

  /** @returns once every worker is ready. Rejects with the reason of the first that cannot start. */
  async start(): Promise<void> {
    cluster.setupPrimary({
      exec: path.join(path.dirname(fileURLToPath(import.meta.url)), "../worker/main.js"),
      args: [],
      serialization: "advanced",
    });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    const started = new Promise<void>((resolve, reject) => (this.#starting = { resolve, reject }));
    for (let slot = 0; slot < this.#options.config.workers; slot++) this.#fork(slot);
    try {
      await started;
    } finally {
      this.#starting = undefined;
    }
  }

  /** Links of the workers that have opened theirs. */
  get links(): readonly WorkerLink[] {
    return [...this.#workers.values()].flatMap(({ link }) => (link === undefined ? [] : [link]));
  }

  /** The workers that hold sessions, as their siblings must know them. */
  get siblings(): readonly Sibling[] {
    return this.workers
      .filter(({ state }) => state === "ready" || state === "draining")
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

  owner(slot: number): WorkerProcess | undefined {
    return this.#bySlot.get(slot);
  }

  next(maxWaiting: number): WorkerProcess | undefined {
    const now = this.#options.now();
    const loadOf = (worker: WorkerProcess): number =>
      worker.waiting >= maxWaiting ? Number.MAX_SAFE_INTEGER : worker.load.total(now) + worker.waiting;
    return leastLoaded(this.#ready, loadOf, this.#turn++);
  }

  markReady(worker: WorkerProcess): void {
    if (worker.state !== "starting") return;
    worker.state = "ready";
    worker.readyAtMs = this.#options.now();
    this.#options.log.info({ slot: worker.slot, wid: worker.wid, pid: worker.pid }, "worker ready");
    this.#changed();
    if (this.#starting !== undefined && this.#ready.length === this.#options.config.workers) this.#starting.resolve();
    setTimeout(() => {
      if (worker.state === "ready") this.#restarts.get(worker.slot)?.stable();
    }, Restarts.stableMs).unref();
  }

  /** Takes every worker out of service: no new sessions, and no replacement for those that end. */
  retire(): void {
    for (const worker of this.#workers.values()) worker.state = "draining";
    for (const pause of this.#pauses.values()) clearTimeout(pause);
    this.#pauses.clear();
    this.#changed();
  }

  /** @returns once no worker process is left; those that take longer than `timeoutMs` are killed. Call {@link retire} first. */
  async stopped(timeoutMs: number): Promise<void> {
    clearInterval(this.#ticker);
    if (this.#workers.size === 0) return;
    const killer = setTimeout(() => {
      for (const worker of this.#workers.values()) {
        this.#options.log.warn(
          { slot: worker.slot, pid: worker.pid, timeoutMs },
          "worker killed: it did not end in time",
        );
        worker.kill("SIGKILL");
      }
    }, timeoutMs);
    await new Promise<void>((resolve) => (this.#stopping = resolve));
    clearTimeout(killer);
  }

  #fork(slot: number): void {
    const { config, nodeId, uid, socketDir, hubPath, log, now, handler } = this.#options;
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
    };
    const process = cluster.fork();
    const worker = new WorkerProcess(process, boot, now, handler);
    this.#workers.set(wid, worker);
    let failure: BootFailure | undefined;
    const readyTimer = setTimeout(() => {
      if (worker.state === "starting") this.#end(worker, "not_ready", "worker killed: it was not ready in time");
    }, config.supervisor.readyTimeoutMs);
    const sendBoot = (): void => {
      process.send(boot, (error: Error | null) => {
        if (error !== null) log.warn({ err: error, slot, wid }, "worker could not be told how to start");
      });
    };
    process.on("error", (error) => log.warn({ err: error, slot, wid }, "channel to the worker failed"));
    process.on("message", (message: unknown) => {
      const { type } = message as { type?: unknown };
      if (type === "sticky:connection") worker.load.sessionOpened();
      else if (type === "sticky:disconnection") worker.load.sessionClosed();
      else if (type === "limpet:awake") sendBoot();
      else if (type === "limpet:boot-failed") failure = message as BootFailure;
    });
    process.once("exit", (code, signal) => {
      clearTimeout(readyTimer);
      this.#onExit(worker, code, signal as NodeJS.Signals | null, failure);
    });
    log.debug({ slot, wid, pid: worker.pid }, "worker started");
  }

  #onExit(
    worker: WorkerProcess,
    code: number | null,
    signal: NodeJS.Signals | null,
    failure: BootFailure | undefined,
  ): void {
    const { log, handler, now, config } = this.#options;
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
    if (cause === undefined) {
      if (this.#workers.size === 0) this.#stopping?.();
      return;
    }
    log.error({ slot, wid, pid, code, signal, cause }, "worker ended unexpectedly");
    if (this.#starting !== undefined) {
      const { readyTimeoutMs } = config.supervisor;
      const how = cause === "not_ready" ? `was not ready within ${readyTimeoutMs} ms` : endOf(code, signal);
      this.#starting.reject(new StartError(failure?.message ?? `a worker ${how}`, failure?.where));
      return;
    }
    this.#pause(slot, worker.readyAtMs === undefined ? 0 : now() - worker.readyAtMs);
  }

  #pause(slot: number, livedMs: number): void {
    let restarts = this.#restarts.get(slot);
    if (restarts === undefined) this.#restarts.set(slot, (restarts = new Restarts()));
    const delayMs = restarts.ended(livedMs);
    if (restarts.looping)
      this.#options.log.error({ slot, delayMs, restarts: restarts.total }, "worker ends again and again");
    const pause = setTimeout(() => {
      this.#pauses.delete(slot);
      this.#fork(slot);
    }, delayMs);
    this.#pauses.set(slot, pause);
  }

  #tick(): void {
    for (const worker of this.#workers.values()) {
      if (worker.state !== "ready") continue;
      worker.silentTicks++;
      if (worker.silentTicks * TICK_MS > this.#hangMs) this.#end(worker, "hang", "worker killed: it hangs");
    }
  }

  #end(worker: WorkerProcess, cause: ExitCause, message: string): void {
    if (worker.endedBy !== undefined) return;
    worker.endedBy = cause;
    this.#options.log.error({ slot: worker.slot, pid: worker.pid, cause }, message);
    worker.kill("SIGKILL");
  }

  #changed(): void {
    this.#ready = [...this.#workers.values()].filter((worker) => worker.state === "ready");
    this.#bySlot = new Map(this.#ready.map((worker) => [worker.slot, worker]));
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
