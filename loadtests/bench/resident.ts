/** Resident memory of a process and all that it has started, from /proc. */
import { readFileSync } from "node:fs";
import { treeOf } from "../../test/support/process-cpu.js";

export function treeResidentKb(pid: number): number {
  return treeOf(pid).reduce((sum, { pid: id }) => {
    const status = readFileSync(`/proc/${id}/status`, "utf8");
    return sum + Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  }, 0);
}
