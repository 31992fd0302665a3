/** Processes of clients, as the test of a reload sees them. */
import type { ChildProcess } from "node:child_process";
import path from "node:path";
import { startProgram, type Scope } from "../../support/children.js";
import { waitFor } from "../../support/wait.js";
import type { CrowdCommand, CrowdEvent, CrowdOptions, CrowdReport, CrowdStatus } from "./messages.js";

const PROCESS = path.join(import.meta.dirname, "process.ts");
const REPORT_MS = 20_000;

export class Crowd {
  readonly #parts: readonly Part[];

  constructor(scope: Scope, options: CrowdOptions, processes: number) {
    const count = options.count / processes;
    this.#parts = Array.from({ length: processes }, () => new Part(scope, { ...options, count }));
  }

  get status(): CrowdStatus {
    const sum = (of: (status: CrowdStatus) => number): number =>
      this.#parts.reduce((total, { status }) => total + of(status), 0);
    return { connected: sum(({ connected }) => connected), drops: sum(({ drops }) => drops) };
  }

  async until(fits: (status: CrowdStatus) => boolean, what: string, timeoutMs: number): Promise<void> {
    const message = (): string => `${what}; there was ${JSON.stringify(this.status)}`;
    await waitFor(() => fits(this.status), { timeoutMs, message });
  }

  async report(): Promise<CrowdReport> {
    const reports = await Promise.all(this.#parts.map((part) => part.report()));
    return {
      clients: reports.flatMap(({ clients }) => clients),
      maxLateMs: Math.max(...reports.map(({ maxLateMs }) => maxLateMs)),
    };
  }
}

class Part {
  readonly #child: ChildProcess;
  #report: CrowdReport | undefined;
  status: CrowdStatus = { connected: 0, drops: 0 };

  constructor(scope: Scope, options: CrowdOptions) {
    this.#child = startProgram(scope, PROCESS, options);
    this.#child.on("message", (event: CrowdEvent) => {
      if (event.is === "report") this.#report = event.report;
      else this.status = event.status;
    });
  }

  async report(): Promise<CrowdReport> {
    this.#child.send({ do: "report" } satisfies CrowdCommand);
    await waitFor(() => this.#report !== undefined, { timeoutMs: REPORT_MS, message: "a report of the clients" });
    return this.#report as unknown as CrowdReport;
  }
}
