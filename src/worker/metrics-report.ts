/** What a worker tells the primary of itself: heartbeats, its metrics when it is asked, and from time to time what of them must outlive it. */
import { UNASKED } from "../link/messages.js";
import type { HubTally } from "../telemetry/hub-tally.js";
import type { WorkerMetrics } from "../telemetry/worker-metrics.js";
import type { HubPort } from "./hub-port.js";

const BEAT_MS = 1_000;
/** A worker that is killed takes what it counted since its last report with it. */
const BEATS_PER_REPORT = 2;

export interface MetricsReportOptions {
  readonly metrics: WorkerMetrics;
  readonly hubTally: HubTally;
  readonly port: Pick<HubPort, "beat" | "metrics">;
  /** Open connections by transport, as they are now. */
  readonly connections: Readonly<Record<"polling" | "websocket" | "webtransport", number>>;
  /** Bytes that wait for other workers, by wid. */
  readonly waiting: () => readonly [wid: number, bytes: number][];
  /** Metrics could not be collected. */
  readonly onError: (error: unknown) => void;
}

export class MetricsReport {
  readonly #options: MetricsReportOptions;
  #beats = 0;
  #isOver = false;

  constructor(options: MetricsReportOptions) {
    this.#options = options;
  }

  /** From now on there are heartbeats, and a report with each second of them. */
  start(): void {
    this.#options.metrics.loopLag.every(BEAT_MS, () => this.#beat());
  }

  /** No more of that: the last counts are told by {@link answer}. */
  end(): void {
    this.#isOver = true;
    this.#options.metrics.loopLag.every(BEAT_MS, undefined);
  }

  /** Tells all metrics. @param id of the question, or {@link UNASKED} */
  async answer(id: number): Promise<void> {
    const { metrics, hubTally, port, connections, onError } = this.#options;
    try {
      for (const transport of ["polling", "websocket"] as const)
        metrics.connections.set({ transport }, connections[transport]);
      hubTally.addTo(metrics);
      port.metrics(id, await metrics.snapshot());
    } catch (error) {
      onError(error);
    }
  }

  #beat(): void {
    const { metrics, port, connections, waiting } = this.#options;
    const { loopLag } = metrics;
    port.beat({
      lagMs: loopLag.recentMaxMs(BEAT_MS),
      standingLagMs: loopLag.standingMs,
      connections: { ...connections },
      waiting: waiting(),
    });
    if (++this.#beats % BEATS_PER_REPORT === 0) void this.#tellChanges();
  }

  async #tellChanges(): Promise<void> {
    const { metrics, hubTally, port, onError } = this.#options;
    try {
      hubTally.addTo(metrics);
      const changed = await metrics.changes();
      if (changed !== undefined && !this.#isOver) port.metrics(UNASKED, changed);
    } catch (error) {
      onError(error);
    }
  }
}
