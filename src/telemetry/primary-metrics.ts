/** The metrics of the primary process. */
import { Registry } from "prom-client";
import { primaryCatalog } from "./catalog.js";
import type { LoopLag } from "./loop-lag.js";
import { createMetrics, snapshotOf, type MetricsOf } from "./metric-objects.js";
import type { MetricSnapshot } from "./node-metrics.js";
import { measureProcess } from "./process-metrics.js";

export type WorkerSlotState = (typeof primaryCatalog.workers.labels.state)[number];

export interface PrimaryMetrics extends Omit<MetricsOf<typeof primaryCatalog>, "workers" | "buildInfo"> {
  readonly loopLag: LoopLag;
  /** Under which number the node runs; once it is known. */
  setNode(node: number): void;
  /** A state that is not given has no workers. */
  setWorkers(counts: Readonly<Partial<Record<WorkerSlotState, number>>>): void;
  /** All values now; valid until the next change. */
  snapshot(): Promise<MetricSnapshot[]>;
  /** Ends the measuring of the event loop. */
  stop(): void;
}

export function createPrimaryMetrics({ version }: { version: string }): PrimaryMetrics {
  const registry = new Registry();
  const { workers, buildInfo, ...metrics } = createMetrics(primaryCatalog, registry);
  const loopLag = measureProcess(registry);
  return {
    ...metrics,
    loopLag,
    setNode: (node) => buildInfo.set({ version, node: String(node) }, 1),
    setWorkers: (counts) => {
      for (const state of primaryCatalog.workers.labels.state) workers.set({ state }, counts[state] ?? 0);
    },
    snapshot: () => snapshotOf(registry),
    stop: () => loopLag.stop(),
  };
}
