/**
 * Collects the app's metrics apart from limpet's own: a `collect` function of the app that throws, or never ends, costs the app's metrics their
 * newest values and nothing else.
 */
import type { Registry } from "prom-client";
import { snapshotOf } from "./metric-objects.js";
import type { MetricSnapshot } from "./node-metrics.js";

/** Less than the primary waits for a worker's answer. */
const WAIT_MS = 100;

export interface AppCollectorHandler {
  /** Each time. */
  onFailed(): void;
  /** Once, until it has worked again. */
  onBroken(error: unknown): void;
}

export class AppCollector {
  readonly #registry: Registry;
  readonly #handler: AppCollectorHandler;
  #last: readonly MetricSnapshot[] = [];
  #running: Promise<void> | undefined;
  #isBroken = false;

  constructor(registry: Registry, handler: AppCollectorHandler) {
    this.#registry = registry;
    this.#handler = handler;
  }

  /** What could be collected in {@link WAIT_MS}, else what was collected last. */
  async snapshot(): Promise<readonly MetricSnapshot[]> {
    this.#running ??= this.#collect();
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, WAIT_MS);
      timer.unref();
    });
    await Promise.race([this.#running, tooLong]);
    // It would wake the process for nothing.
    clearTimeout(timer);
    return this.#last;
  }

  async #collect(): Promise<void> {
    try {
      this.#last = await snapshotOf(this.#registry);
      this.#isBroken = false;
    } catch (error) {
      this.#handler.onFailed();
      if (!this.#isBroken) this.#handler.onBroken(error);
      this.#isBroken = true;
    } finally {
      this.#running = undefined;
    }
  }
}
