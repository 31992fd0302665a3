/** Stock clients in a process of their own, as the storm's test sees them. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { startProgram, type Scope } from "../support/children.js";
import { within } from "../support/wait.js";
import type { CrowdCommand, CrowdOptions, CrowdReport } from "./messages.js";

const PROCESS = path.join(import.meta.dirname, "crowd-process.ts");

export class Crowd {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(scope: Scope, options: CrowdOptions): Promise<Crowd> {
    const child = startProgram(scope, PROCESS, options);
    await within(once(child, "message"), 30_000, "a process of clients");
    return new Crowd(child);
  }

  connect(): void {
    this.#child.send({ do: "connect" } satisfies CrowdCommand);
  }

  async report(): Promise<CrowdReport> {
    const answer = once(this.#child, "message") as Promise<[CrowdReport]>;
    this.#child.send({ do: "report" } satisfies CrowdCommand);
    const [report] = await within(answer, 60_000, "a report of the clients");
    return report;
  }
}
