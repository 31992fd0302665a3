/** Counts what passes between workers in plain numbers, which are added to the metrics when somebody asks: they are counted with every message. */
import type { MetricsOf } from "./metric-objects.js";
import type { primaryCatalog } from "./catalog.js";

export class HubTally {
  readonly #counts = { received: 0, forwarded: 0, skipped: 0, dropped: 0 };

  /** A message was taken from a worker. */
  received(): void {
    this.#counts.received++;
  }

  /** Copies were passed on to a worker. */
  forwarded(copies: number): void {
    this.#counts.forwarded += copies;
  }

  /** Workers were spared a copy because they have no members. */
  skipped(copies: number): void {
    this.#counts.skipped += copies;
  }

  /** A copy was not taken because too much waits for a worker. */
  dropped(): void {
    this.#counts.dropped++;
  }

  addTo({ hubMessages }: Pick<MetricsOf<typeof primaryCatalog>, "hubMessages">): void {
    for (const outcome of ["received", "forwarded", "skipped", "dropped"] as const) {
      if (this.#counts[outcome] > 0) hubMessages.inc({ outcome }, this.#counts[outcome]);
      this.#counts[outcome] = 0;
    }
  }
}
