/** CPU time of a process and all that it has started, from /proc. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const TICK_MS = 1_000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** User and system time so far, in ms; of processes that have ended, nothing. */
export function treeCpuMs(pid: number): number {
  const stats = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)));
  const tree = new Set([pid]);
  // Parents come before their children but for wrapped ids; twice over the list is enough for primary and workers.
  for (let pass = 0; pass < 2; pass++) for (const stat of stats) if (tree.has(stat.parent)) tree.add(stat.pid);
  return stats.filter((stat) => tree.has(stat.pid)).reduce((sum, stat) => sum + stat.ticks * TICK_MS, 0);
}

function readStat(pid: number): { pid: number; parent: number; ticks: number }[] {
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
