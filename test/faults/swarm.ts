/** Many stock clients in processes of their own, as a test sees them. */
import type { ChildProcess } from "node:child_process";
import path from "node:path";
import { startProgram, type Scope } from "../support/children.js";
import { waitFor } from "../support/wait.js";
import type { ClientReport, RequestReport, SwarmCommand, SwarmEvent, SwarmOptions } from "./swarm-messages.js";
import type { SwarmReport } from "./swarm-messages.js";

const PROCESS = path.join(import.meta.dirname, "swarm-process.ts");

export class Swarm {
  readonly #count: number;
  readonly #child: ChildProcess;
  #joined = 0;
  #waiting = 0;
  #report: SwarmReport | undefined;

  constructor(scope: Scope, options: SwarmOptions) {
    this.#count = options.count;
    this.#child = startProgram(scope, PROCESS, options);
    this.#child.on("message", (event: SwarmEvent) => {
      if (event.is === "report") this.#report = event.report;
      else [this.#joined, this.#waiting] = [event.joined, event.waiting];
    });
  }

  /** Whether every client is connected and in its room. */
  get complete(): boolean {
    return this.#joined === this.#count;
  }

  get waiting(): number {
    return this.#waiting;
  }

  tell(command: SwarmCommand): void {
    this.#child.send(command);
  }

  async report(): Promise<SwarmReport> {
    this.#report = undefined;
    this.tell({ do: "report" });
    await waitFor(() => this.#report !== undefined, { message: "a report of the clients" });
    return this.#report as unknown as SwarmReport;
  }
}

/** Reports of several processes as one. */
export async function reportOf(
  swarms: readonly Swarm[],
): Promise<{ clients: readonly ClientReport[]; requests: readonly RequestReport[] }> {
  const reports = await Promise.all(swarms.map((swarm) => swarm.report()));
  return { clients: reports.flatMap(({ clients }) => clients), requests: reports.map(({ requests }) => requests) };
}
