/** What waits for each worker: in the primary, and in its siblings as they said last. */
import { OUTSIDE_WID } from "../link/messages.js";
import type { WorkerProcess } from "./worker-process.js";

/** @returns bytes by wid, of the workers that have a link, and under {@link OUTSIDE_WID} of what is for other nodes and has not come to the bus */
export function hubQueuesOf(workers: readonly WorkerProcess[]): ReadonlyMap<number, number> {
  const bytes = new Map<number, number>([[OUTSIDE_WID, 0]]);
  for (const { wid, link } of workers) if (link !== undefined) bytes.set(wid, link.queueBytes);
  for (const [wid, more] of workers.flatMap(({ beat }) => beat?.waiting ?? [])) {
    const known = bytes.get(wid);
    if (known !== undefined) bytes.set(wid, known + more);
  }
  return bytes;
}
