/** Recovery as the configuration wants it, between the hub and the metrics. */
import type { Config } from "../config/config.js";
import { tagOf } from "../recovery/claim.js";
import type { PrimaryMetrics } from "../telemetry/primary-metrics.js";
import type { Hub } from "./hub.js";
import { Recovery } from "./recovery.js";

export interface RecoveryParts {
  readonly config: Config;
  /** As in Boot. */
  readonly uid: string;
  readonly hub: Hub;
  readonly metrics: PrimaryMetrics;
  readonly now: () => number;
}

/** @returns undefined where recovery is off */
export function createRecovery({ config, uid, hub, metrics, now }: RecoveryParts): Recovery | undefined {
  const { recovery: bounds, socketio } = config;
  if (!bounds.enabled) return undefined;
  const recovery = new Recovery({
    tag: tagOf(uid),
    bounds,
    keepMs: socketio.connectionStateRecovery.maxDisconnectionDuration,
    noticeMs: socketio.pingInterval + socketio.pingTimeout,
    releaseTimeoutMs: bounds.releaseTimeoutMs,
    deliver: (message, body) => void hub.deliver(message, body),
    anticipate: (wid, nsp, rooms) => hub.anticipate(wid, nsp, rooms),
    now,
    onOutcome: (outcome) => metrics.recoveries.inc({ outcome }),
    onRefused: (reason) => metrics.recoveryRefused.inc({ reason }),
  });
  hub.record(recovery);
  return recovery;
}
