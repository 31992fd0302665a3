/** What waits for each worker: in the primary, and in its siblings as they said last. */
import type { WorkerProcess } from "./worker-process.js";

/** @returns bytes by wid, of the workers that have a link */
export function hubQueuesOf(workers: readonly WorkerProcess[]): ReadonlyMap<number, number> {
  const bytes = new Map<number, number>();
  for (const { wid, link } of workers) if (link !== undefined) bytes.set(wid, link.queueBytes);
  for (const [wid, more] of workers.flatMap(({ beat }) => beat?.waiting ?? [])) {
    const known = bytes.get(wid);
    if (known !== undefined) bytes.set(wid, known + more);
  }
  return bytes;
}
