/** Processes a test starts: each in a group of its own, which ends with the test or with the test's process. */
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { within } from "./wait.js";

/** Where things that must be undone are registered: a test's context, or `{ after }` of node:test for a whole file. */
export interface Scope {
  after(undo: () => Promise<void> | void): void;
  /** Whether the test has passed; known in `after` where the runtime tells it. */
  readonly passed?: boolean;
}

const groups = new Set<number>();
process.on("exit", () => {
  for (const pid of groups) signalGroup(pid, "SIGKILL");
});

/** Starts a process as the leader of a group, so that what it starts ends with it. */
export function startGroup(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess & { readonly pid: number } {
  const child = spawn(command, args, { ...options, detached: true });
  const { pid } = child;
  if (pid === undefined) {
    child.once("error", () => undefined);
    throw new Error(`${command} could not be started`);
  }
  groups.add(pid);
  return Object.assign(child, { pid });
}

/** Starts one of the tests' own programs, in TypeScript, that talks over IPC; it ends with the scope. @param options its only argument, as JSON */
export function startProgram(scope: Scope, file: string, options: unknown): ChildProcess {
  const child = startGroup(process.execPath, ["--import", "tsx", file, JSON.stringify(options)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  scope.after(() => killGroup(child.pid));
  return child;
}

/** Ends whatever is left of the group. */
export function killGroup(pid: number): void {
  signalGroup(pid, "SIGKILL");
  groups.delete(pid);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // Nobody is left in it.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** @throws Error where the process does not end in time */
export async function exitOf(child: ChildProcess, timeoutMs: number, name: string): Promise<Exit> {
  if (child.exitCode === null && child.signalCode === null) {
    await within(once(child, "exit"), timeoutMs, `${name} to end`);
  }
  return { code: child.exitCode, signal: child.signalCode };
}
