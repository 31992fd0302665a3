/** What every process of a node measures of itself: Node's default metrics and the lag of its event loop. */
import { collectDefaultMetrics, type Registry } from "prom-client";
import { processCatalog } from "./catalog.js";
import { LoopLag } from "./loop-lag.js";
import { createMetrics } from "./metric-objects.js";

/** Gauges that are named as counters, and say nothing that their like without `_total` do not say by type. */
const MISNAMED = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

/** @returns the lag that is measured, for those who decide by it */
export function measureProcess(registry: Registry): LoopLag {
  const { eventLoopLag } = createMetrics(processCatalog, registry);
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return new LoopLag({ onSample: (lagMs) => eventLoopLag.observe(lagMs / 1_000) });
}
