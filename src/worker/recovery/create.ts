/** A worker's part in recovery, where the configuration has it on. */
import type { Logger } from "pino";
import type { Config } from "../../config/config.js";
import { tagOf } from "../../recovery/claim.js";
import type { WorkerMetrics } from "../../telemetry/worker-metrics.js";
import type { HubPort } from "../hub-port.js";
import type { JoinGate } from "../join-gate.js";
import { Recovery } from "./recovery.js";
import { TooLargeError } from "./session-data.js";

export interface CreateRecoveryOptions {
  readonly config: Pick<Config, "recovery">;
  /** Of the primary's life. */
  readonly uid: string;
  readonly wid: number;
  readonly port: HubPort;
  readonly gate: JoinGate;
  readonly metrics: Pick<WorkerMetrics, "checkpointErrors">;
  readonly log: Logger;
}

/** @returns undefined where recovery is off */
export function createRecovery({ config, uid, metrics, log, ...rest }: CreateRecoveryOptions): Recovery | undefined {
  const { enabled, maxDataBytes, maxMissedBytes } = config.recovery;
  if (!enabled) return undefined;
  return new Recovery({
    ...rest,
    tag: tagOf(uid),
    maxDataBytes,
    maxKeptBytes: maxMissedBytes,
    onUnkept: ({ nsp, id }, error, isFirst) => {
      metrics.checkpointErrors.inc({ reason: error instanceof TooLargeError ? "too_large" : "unserializable" });
      if (isFirst)
        log.warn({ err: error, nsp, socket: id }, "socket.data cannot be kept for a recovery: it stays as it was");
    },
  });
}
