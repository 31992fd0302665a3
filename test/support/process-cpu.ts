/** CPU time of a process and all that it has started, from /proc. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const TICK_MS = 1_000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time. */
  readonly ticks: number;
}

/** User and system time so far, in ms; of processes that have ended, nothing. As exact as the system counts: to the tick, or as its scheduler has it. */
export function treeCpuMs(pid: number): number {
  return treeOf(pid).reduce((sum, stat) => sum + (scheduledMs(stat.pid) ?? stat.ticks * TICK_MS), 0);
}

/** Of all threads that live; undefined where the kernel does not tell. A thread that ends takes its time along, which Node's do not before the end. */
function scheduledMs(pid: number): number | undefined {
  const threads = `/proc/${pid}/task`;
  try {
    return readdirSync(threads).reduce((sum, thread) => {
      const [onProcessor = ""] = readFileSync(`${threads}/${thread}/schedstat`, "utf8").split(" ");
      return sum + Number(onProcessor) / 1e6;
    }, 0);
  } catch {
    // No scheduler statistics in this kernel, or it has just ended.
    return undefined;
  }
}

/** The process and all that it has started and that live. */
export function treeOf(pid: number): ProcessStat[] {
  const stats = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)));
  const tree = new Set([pid]);
  // Parents come before their children but for wrapped ids; twice over the list is enough for primary and workers.
  for (let pass = 0; pass < 2; pass++) for (const stat of stats) if (tree.has(stat.parent)) tree.add(stat.pid);
  return stats.filter((stat) => tree.has(stat.pid));
}

function readStat(pid: number): ProcessStat[] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    // It has just ended.
    return [];
  }
  // The name, in parentheses, may hold spaces; behind it stand the state, the parent, and at 14 and 15 the ticks.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return [{ pid, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }];
}
