/** What a scrape of /metrics returns: what the workers said last, with what the primary knows of itself now. */
import type { BusState } from "../bus/bus-health.js";
import type { HubTally } from "../telemetry/hub-tally.js";
import { OUTSIDE_WID } from "../link/messages.js";
import type { NodeMetrics } from "../telemetry/node-metrics.js";
import type { PrimaryMetrics, WorkerSlotState } from "../telemetry/primary-metrics.js";
import { hubQueuesOf } from "./hub-queues.js";
import type { MetricsCollector } from "./metrics-collector.js";
import type { RecoveryState } from "./recovery.js";
import type { Supervisor } from "./supervisor.js";

export interface ScrapeParts {
  readonly supervisor: Supervisor;
  readonly collector: MetricsCollector;
  readonly hubTally: HubTally;
  readonly metrics: PrimaryMetrics;
  readonly nodeMetrics: NodeMetrics;
  /** Undefined without Redis. */
  readonly bus: BusState | undefined;
  /** Undefined where it is off. */
  readonly recovery: RecoveryState | undefined;
}

export async function scrape({
  supervisor,
  collector,
  hubTally,
  metrics,
  nodeMetrics,
  bus,
  recovery,
}: ScrapeParts): Promise<string> {
  await collector.collect();
  hubTally.addTo(metrics);
  const states: Partial<Record<WorkerSlotState, number>> = {
    backing_off: supervisor.backingOff,
    stopped: supervisor.vacant,
  };
  for (const { state } of supervisor.workers) states[state] = (states[state] ?? 0) + 1;
  metrics.setWorkers(states);
  metrics.hubQueueBytes.reset();
  const queues = hubQueuesOf(supervisor.workers);
  for (const { slot, wid } of supervisor.workers) {
    const bytes = queues.get(wid);
    if (bytes !== undefined) metrics.hubQueueBytes.set({ worker: String(slot) }, bytes);
  }
  setBus(metrics, bus, queues.get(OUTSIDE_WID) ?? 0);
  setRecovery(metrics, recovery);
  return await nodeMetrics.render(await metrics.snapshot());
}

/** A node without Redis has no series of it: one of 0 would look like an outage. */
function setBus(
  { busUp, busLag, busOutboxBytes }: PrimaryMetrics,
  bus: BusState | undefined,
  waitingBytes: number,
): void {
  if (bus === undefined) {
    for (const gauge of [busUp, busLag, busOutboxBytes]) gauge.remove();
    return;
  }
  busUp.set(bus.up ? 1 : 0);
  busLag.set(bus.lagSeconds);
  busOutboxBytes.set(bus.outboxBytes + waitingBytes);
}

function setRecovery(metrics: PrimaryMetrics, recovery: RecoveryState | undefined): void {
  const { recoverySessions, recoverySessionBytes, recoveryLogEntries, recoveryLogBytes } = metrics;
  if (recovery === undefined) {
    recoverySessions.reset();
    for (const gauge of [recoverySessionBytes, recoveryLogEntries, recoveryLogBytes]) gauge.remove();
    return;
  }
  for (const state of ["connected", "away"] as const) recoverySessions.set({ state }, recovery[state]);
  recoverySessionBytes.set(recovery.sessionBytes);
  recoveryLogEntries.set(recovery.logEntries);
  recoveryLogBytes.set(recovery.logBytes);
}
