/** What every process of a node measures of itself: Node's default metrics and the lag of its event loop. */
import { collectDefaultMetrics, type Registry } from "prom-client";
import { processCatalog } from "./catalog.js";
import { LoopLag } from "./loop-lag.js";
import { createMetrics } from "./metric-objects.js";

/** Gauges that are named as counters, and say nothing that their like without `_total` do not say by type. */
const MISNAMED = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

/**
 * prom-client's own lag percentiles cost a timer that wakes every process 100 times a second, and count its interval as lag. limpet's histogram
 * takes their place; there is no option to leave them out, so their timer is slowed to once an hour.
 */
const SLEEPY_MS = 3_600_000;
const REPLACED = ["min", "max", "mean", "stddev", "p50", "p90", "p99"].map(
  (name) => `nodejs_eventloop_lag_${name}_seconds`,
);

/**
 * @param quietIntervalMs how often the lag of a quiet event loop is measured
 * @returns the lag that is measured, for those who decide by it
 */
export function measureProcess(registry: Registry, quietIntervalMs?: number): LoopLag {
  const { eventLoopLag } = createMetrics(processCatalog, registry);
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: SLEEPY_MS });
  for (const name of [...MISNAMED, ...REPLACED]) registry.removeSingleMetric(name);
  return new LoopLag({
    ...(quietIntervalMs !== undefined && { quietIntervalMs }),
    onSample: (lagMs) => eventLoopLag.observe(lagMs / 1_000),
  });
}
