/** One worker process as the primary knows it: who it is, what it does, how loaded it is. */
import type { Worker } from "node:cluster";
import { handshakeBudget } from "../access/handshake-budget.js";
import type { Beat, Boot, LastConnection, StopOptions } from "../link/messages.js";
import type { Candidate } from "../routing/admission.js";
import type { Budget } from "../routing/budget.js";
import { Load } from "../routing/load.js";
import type { Target } from "./front.js";
import type { Connection } from "./handoff.js";
import { Handoff } from "./handoff.js";
import type { WorkerLink } from "./worker-link.js";

export type WorkerState = "starting" | "ready" | "draining" | "stopped";

/** Why a worker ended, where it was not told to. */
export type ExitCause = "crash" | "hang" | "killed" | "not_ready";

export interface WorkerProcessHandler {
  onHandedOver(worker: WorkerProcess, connection: Connection): void;
  onReturned(connections: readonly Connection[]): void;
}

/** A worker that has said nothing for so many ticks of the primary does not get new sessions where others do. */
const SILENT_TICKS = 3;

export class WorkerProcess implements Target, Candidate {
  readonly wid: number;
  readonly slot: number;
  readonly listenPath: string;
  readonly startedAtMs: number;
  readonly load = new Load();
  readonly budget: Budget;
  state: WorkerState = "starting";
  /** It drains, and its last session is gone. */
  hasDrained = false;
  readyAtMs: number | undefined;
  link: WorkerLink | undefined;
  beat: Beat | undefined;
  /** Primary ticks since the last beat: ticks stop with the primary, so its own stalls are not held against a worker. */
  silentTicks = 0;
  /** Resolves when the process is no more. */
  readonly hasEnded: Promise<void>;
  /** Set before the primary ends the process itself. */
  endedBy: ExitCause | undefined;
  #onEnded!: () => void;
  readonly #worker: Worker;
  readonly #handoff: Handoff;
  readonly #now: () => number;

  constructor(worker: Worker, boot: Boot, now: () => number, handler: WorkerProcessHandler) {
    this.wid = boot.wid;
    this.slot = boot.slot;
    this.listenPath = boot.listenPath;
    this.startedAtMs = now();
    this.budget = handshakeBudget(boot.config.access);
    this.#now = now;
    this.#worker = worker;
    this.hasEnded = new Promise((resolve) => (this.#onEnded = resolve));
    this.#handoff = new Handoff(
      worker,
      {
        onHandedOver: (connection) => handler.onHandedOver(this, connection),
        onReturned: (connections) => handler.onReturned(connections),
      },
      now,
    );
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0;
  }

  get waiting(): number {
    return this.#handoff.waiting;
  }

  heard(beat: Beat): void {
    this.silentTicks = 0;
    this.beat = beat;
  }

  /** Sessions, and connections that may become sessions. */
  get sessions(): number {
    return this.load.total(this.#now());
  }

  get lagMs(): number {
    if (this.silentTicks >= SILENT_TICKS) return Infinity;
    // Requests of sessions that exist stand in the same line as new sessions: it must not grow by these.
    return Math.max(this.#handoff.delayMs, this.beat?.standingLagMs ?? 0);
  }

  get holdsSessions(): boolean {
    return this.state === "ready" || (this.state === "draining" && !this.hasDrained);
  }

  get takesSessions(): boolean {
    return this.state === "ready";
  }

  expectSession(): void {
    this.load.handedOver(this.#now());
  }

  take(connection: Connection): void {
    this.#handoff.take(connection);
  }

  kill(signal: NodeJS.Signals): void {
    this.#worker.process.kill(signal);
  }

  /** Closes its clients one by one so that they come back elsewhere, answers what is under way, and exits. */
  stop(drain: StopOptions["drain"]): void {
    if (this.link === undefined) this.kill("SIGKILL");
    else this.link.send({ t: "stop", drain });
  }

  /** Tells it that no connection follows those on their way: Node keeps the order. */
  tellLast(): void {
    // Where its channel is broken it ends by itself.
    this.#worker.send({ type: "limpet:last-connection" } satisfies LastConnection, () => undefined);
  }

  /** Call once the process has ended. */
  ended(): void {
    this.state = "stopped";
    this.#handoff.close();
    this.#onEnded();
  }
}
