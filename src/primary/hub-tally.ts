/** Counts what the hub does in plain numbers, which are added to the metrics when somebody asks: the hub counts with every message. */
import type { PrimaryMetrics } from "../telemetry/primary-metrics.js";
import type { HubCounters } from "./hub.js";

export class HubTally implements HubCounters {
  readonly #counts = { received: 0, forwarded: 0, skipped: 0, dropped: 0 };

  received(): void {
    this.#counts.received++;
  }

  forwarded(copies: number): void {
    this.#counts.forwarded += copies;
  }

  skipped(copies: number): void {
    this.#counts.skipped += copies;
  }

  dropped(): void {
    this.#counts.dropped++;
  }

  addTo(metrics: PrimaryMetrics): void {
    for (const outcome of ["received", "forwarded", "skipped", "dropped"] as const) {
      metrics.hubMessages.inc({ outcome }, this.#counts[outcome]);
      this.#counts[outcome] = 0;
    }
  }
}
