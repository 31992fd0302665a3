/** What a measurement finds out about one server. */
import type { Latency } from "./load/tasks.js";

export interface Figure {
  /** What is counted, by unit of work: "µs a delivery". */
  readonly unit: string;
  readonly value: number;
  readonly latency?: Latency;
}

/** Ends what a measurement has started, the last first, whatever happens. */
export async function withUndo<T>(measure: (undo: (() => Promise<void>)[]) => Promise<T>): Promise<T> {
  const undo: (() => Promise<void>)[] = [];
  try {
    return await measure(undo);
  } finally {
    for (const end of undo.reverse()) await end();
  }
}
