/** What the node says of itself: readiness, and its workers one by one. */
import type { Readiness, WorkerInfo } from "./ops-server.js";
import type { Supervisor } from "./supervisor.js";

/** `serving` from the moment in which clients can connect. */
export type Phase = "starting" | "serving" | "draining";

/** @param wanted number of workers the node was told to run */
export function readinessOf(supervisor: Supervisor, wanted: number, phase: Phase): Readiness {
  const reasons: string[] = phase === "serving" ? [] : [phase];
  if (supervisor.ready.length === 0) reasons.push("no worker is ready");
  for (const slot of supervisor.looping) reasons.push(`worker ${slot} ends again and again`);
  return { ready: reasons.length === 0, degraded: supervisor.ready.length < wanted, reasons };
}

/** @param nowMs on the supervisor's clock */
export function workerInfosOf(supervisor: Supervisor, nowMs: number): WorkerInfo[] {
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
    queueBytes: worker.link?.queueBytes ?? 0,
  }));
}
