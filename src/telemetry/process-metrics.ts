/** What every process of a node measures of itself: Node's default metrics and the lag of its event loop. */
import { collectDefaultMetrics, type Registry } from "prom-client";
import { processCatalog } from "./catalog.js";
import { LoopLag } from "./loop-lag.js";
import { createMetrics } from "./metric-objects.js";

/** @returns the lag that is measured, for those who decide by it */
export function measureProcess(registry: Registry): LoopLag {
  const { eventLoopLag } = createMetrics(processCatalog, registry);
  collectDefaultMetrics({ register: registry });
  return new LoopLag({ onSample: (lagMs) => eventLoopLag.observe(lagMs / 1_000) });
}
