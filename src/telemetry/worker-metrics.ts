/** The metrics of a worker process, and the names that Engine.IO's reasons and codes have in them. */
import { Registry } from "prom-client";
import { AppCollector } from "./app-collector.js";
import { workerCatalog } from "./catalog.js";
import type { LoopLag } from "./loop-lag.js";
import { createMetrics, snapshotOf, type MetricsOf } from "./metric-objects.js";
import type { MetricSnapshot } from "./node-metrics.js";
import { measureProcess } from "./process-metrics.js";

/** Totals that are counted per packet: plain numbers to add to, copied when the metrics are collected. */
export interface Tally {
  messagesReceived: number;
  messagesSent: number;
  bytesReceived: number;
  bytesSent: number;
  volatileDropped: number;
}

export interface WorkerMetrics extends Omit<MetricsOf<typeof workerCatalog>, keyof Tally> {
  readonly tally: Tally;
  /** Of the app's own metrics; limpet's are elsewhere. */
  readonly registry: Registry;
  readonly loopLag: LoopLag;
  /** All values now, the app's included; what the primary's NodeMetrics takes, after its way through JSON. */
  snapshot(): Promise<MetricSnapshot[]>;
  /** What must outlive the process, the app's metrics included, where anything of it has changed since the last call. */
  changes(): Promise<MetricSnapshot[] | undefined>;
  /** Ends the measuring of the event loop. */
  stop(): void;
}

export interface WorkerMetricsOptions {
  /** The app's metrics can no longer be collected; they keep their values until they can. */
  readonly onAppError?: (error: unknown) => void;
  /** How often the lag of a quiet event loop is measured. */
  readonly lagIntervalMs?: number;
}

export function createWorkerMetrics({
  onAppError = () => {},
  lagIntervalMs,
}: WorkerMetricsOptions = {}): WorkerMetrics {
  const own = new Registry();
  /** What says something of this process only, and ends with it. */
  const ofProcess = new Registry();
  const registry = new Registry();
  const tally: Tally = { messagesReceived: 0, messagesSent: 0, bytesReceived: 0, bytesSent: 0, volatileDropped: 0 };
  const metrics = createMetrics(workerCatalog, own, {
    messagesReceived: () => tally.messagesReceived,
    messagesSent: () => tally.messagesSent,
    bytesReceived: () => tally.bytesReceived,
    bytesSent: () => tally.bytesSent,
    volatileDropped: () => tally.volatileDropped,
  });
  const loopLag = measureProcess(ofProcess, lagIntervalMs);
  const app = new AppCollector(registry, { onFailed: () => metrics.appErrors.inc(), onBroken: onAppError });
  let told = "";
  const lasting = async (): Promise<MetricSnapshot[]> => [...(await snapshotOf(own)), ...(await app.snapshot())];
  return {
    ...metrics,
    tally,
    registry,
    loopLag,
    snapshot: async () => [...(await snapshotOf(ofProcess)), ...(await lasting())],
    changes: async () => {
      const snapshot = await lasting();
      const text = JSON.stringify(snapshot);
      if (text === told) return undefined;
      told = text;
      return snapshot;
    },
    stop: () => loopLag.stop(),
  };
}

export type SessionCloseReason = (typeof workerCatalog.sessionsClosed.labels.reason)[number];
export type ClientRefusal = (typeof workerCatalog.clientRefusals.labels.reason)[number];
export type SlowConsumerCause = (typeof workerCatalog.slowConsumers.labels.cause)[number];
export type HandshakeError = (typeof workerCatalog.handshakeErrors.labels.code)[number];

const closeReasons = new Map(
  workerCatalog.sessionsClosed.labels.reason.map((name) => [name.replaceAll("_", " "), name]),
);

/** @param reason as Engine.IO gives it to `close`, for example "transport close" */
export function closeReasonOf(reason: string): SessionCloseReason {
  return closeReasons.get(reason) ?? "other";
}

/** @param code as in Engine.IO's `connection_error`: its place in the list of the label's values */
export function handshakeErrorOf(code: number): HandshakeError {
  return workerCatalog.handshakeErrors.labels.code[code] ?? "other";
}
