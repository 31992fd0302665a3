/** What the node says of itself: readiness, and its workers one by one. */
import { hubQueuesOf } from "./hub-queues.js";
import type { Readiness, WorkerInfo } from "./ops-server.js";
import type { BusState } from "../bus/bus-health.js";
import type { Supervisor } from "./supervisor.js";

/** `serving` from the moment in which clients can connect. */
export type Phase = "starting" | "serving" | "draining";

/**
 * A node whose bus is down is ready all the same: its clients are served, and a balancer that left out every node without Redis would leave out the
 * whole fleet at once. It says that it is degraded, and the metrics do.
 *
 * @param wanted number of workers the node was told to run
 * @param bus undefined without Redis
 */
export function readinessOf(
  supervisor: Supervisor,
  wanted: number,
  phase: Phase,
  bus: BusState | undefined,
): Readiness {
  const blockers: string[] = phase === "serving" ? [] : [phase];
  if (supervisor.placement.ready.length === 0) blockers.push("no worker is ready");
  for (const slot of supervisor.looping) blockers.push(`worker ${slot} ends again and again`);
  const isAlone = bus?.up === false;
  const reasons = isAlone ? [...blockers, `other nodes are out of reach: ${bus.reason}`] : blockers;
  return { ready: blockers.length === 0, degraded: isAlone || supervisor.placement.ready.length < wanted, reasons };
}

/** @param nowMs on the supervisor's clock */
export function workerInfosOf(supervisor: Supervisor, nowMs: number): WorkerInfo[] {
  const queues = hubQueuesOf(supervisor.workers);
  return supervisor.workers.map((worker) => ({
    slot: worker.slot,
    pid: worker.pid,
    state: worker.state,
    incarnation: worker.wid,
    sessions: worker.load.sessions,
    pendingSessions: worker.load.onTheWay(nowMs),
    connections: worker.beat?.connections ?? { polling: 0, websocket: 0 },
    lagMs: worker.beat?.lagMs ?? 0,
    restarts: supervisor.restartsOf(worker.slot),
    startedAt: new Date(performance.timeOrigin + worker.startedAtMs).toISOString(),
    queueBytes: queues.get(worker.wid) ?? 0,
  }));
}
