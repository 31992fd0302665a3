/** Stock clients in a process of their own, as a scenario sees them. */
import type { ChildProcess } from "node:child_process";
import path from "node:path";
import { startProgram, type Scope } from "../../support/children.js";
import { waitFor } from "../../support/wait.js";
import type { CrowdReport, CrowdCommand, CrowdEvent, CrowdOptions, CrowdStatus } from "./crowd-messages.js";

const PROCESS = path.join(import.meta.dirname, "crowd-process.ts");
/** A busy machine takes its time. */
const START_MS = 180_000;
const BACK_MS = 60_000;
const NOBODY: CrowdStatus = { home: 0, struck: 0, disconnects: 0, heardByAll: 0, homes: {} };

export class Crowd {
  readonly #options: CrowdOptions;
  readonly #child: ChildProcess;
  #status = NOBODY;
  #statuses = 0;
  #report: CrowdReport | undefined;

  constructor(scope: Scope, options: CrowdOptions) {
    this.#options = options;
    this.#child = startProgram(scope, PROCESS, options);
    this.#child.on("message", (event: CrowdEvent) => {
      if (event.is === "report") this.#report = event.report;
      else [this.#status, this.#statuses] = [event.status, this.#statuses + 1];
    });
  }

  get count(): number {
    return this.#options.count;
  }

  get status(): CrowdStatus {
    return this.#status;
  }

  /** Processes that serve clients now. */
  get pids(): readonly number[] {
    return Object.keys(this.#status.homes).map(Number);
  }

  servedBy(pid: number): number {
    return this.#status.homes[pid] ?? 0;
  }

  /** Waits until all are in their rooms. */
  async home(): Promise<void> {
    await this.#until(({ home }) => home === this.count, "all to be in their rooms", START_MS);
  }

  /**
   * Waits until connections were lost, one of each client unless told, and all are in their rooms again. It does not wait for longer than a minute: who
   * is not back then shows in the verdict.
   */
  async back(lost: { readonly disconnects?: number } = {}): Promise<void> {
    const endMs = performance.now() + BACK_MS;
    const isOver = (): boolean => performance.now() > endMs;
    const isStruck = ({ struck, disconnects }: CrowdStatus): boolean =>
      lost.disconnects === undefined ? struck === this.count : disconnects >= lost.disconnects;
    const isBack = (status: CrowdStatus): boolean => isStruck(status) && status.home === this.count;
    await this.#until((status) => isBack(status) || isOver(), "the clients to be back", 2 * BACK_MS);
  }

  /** Waits until everybody who is in its rooms has heard so much since it last came there. */
  async hears(messages: number): Promise<void> {
    await this.#until(
      ({ heardByAll }) => heardByAll !== null && heardByAll >= messages,
      `everybody to hear ${messages} messages`,
      START_MS,
    );
  }

  giveUp(): void {
    this.#tell({ do: "give up" });
  }

  breakAtEveryMessage(on: boolean): void {
    this.#tell({ do: on ? "break at every message" : "stop breaking" });
  }

  /** Waits until connections were lost, so many over all clients. */
  async loses(disconnects: number): Promise<void> {
    await this.#until((status) => status.disconnects >= disconnects, `${disconnects} lost connections`, START_MS);
  }

  /** Waits until everybody has lost a connection. */
  async struck(): Promise<void> {
    await this.#until(({ struck }) => struck === this.count, "all to lose their connection", BACK_MS);
  }

  async report(): Promise<CrowdReport> {
    this.#report = undefined;
    this.#tell({ do: "report" });
    await waitFor(() => this.#report !== undefined, { timeoutMs: 20_000, message: "a report of the clients" });
    return this.#report as unknown as CrowdReport;
  }

  /** Asks only what the clients say from now on. */
  async #until(fits: (status: CrowdStatus) => boolean, what: string, timeoutMs: number): Promise<void> {
    const since = this.#statuses;
    const message = (): string => `${what}; of ${this.count} clients: ${JSON.stringify(this.#status)}`;
    await waitFor(() => this.#statuses > since && fits(this.#status), { timeoutMs, message });
  }

  #tell(command: CrowdCommand): void {
    this.#child.send(command);
  }
}
