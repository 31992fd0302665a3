/** Recovery as the configuration wants it, between the hub and the metrics. */
import type { Config } from "../config/config.js";
import { tagOf } from "../recovery/claim.js";
import type { PrimaryMetrics } from "../telemetry/primary-metrics.js";
import type { Hub } from "./hub.js";
import { Recovery } from "./recovery.js";

/** Of what may wait for a client: it must not be cut off for what it is given when it comes back, and for what is said just then. */
const MISSED_PART = 3 / 4;

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
  const { recovery: given, client, socketio } = config;
  if (!given.enabled) return undefined;
  const bounds = {
    ...given,
    maxMissedBytes: Math.min(given.maxMissedBytes, client.maxBufferedBytes * MISSED_PART),
    maxMissedCount: client.maxBufferedPackets * MISSED_PART,
  };
  const recovery = new Recovery({
    tag: tagOf(uid),
    bounds,
    keepMs: socketio.connectionStateRecovery.maxDisconnectionDuration,
    noticeMs: socketio.pingInterval + socketio.pingTimeout,
    releaseTimeoutMs: given.releaseTimeoutMs,
    anticipate: (wid, nsp, rooms) => hub.anticipate(wid, nsp, rooms),
    now,
    onOutcome: (outcome) => metrics.recoveries.inc({ outcome }),
    onRefused: (reason) => metrics.recoveryRefused.inc({ reason }),
  });
  hub.record(recovery);
  return recovery;
}
