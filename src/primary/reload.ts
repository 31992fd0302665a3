/** A reload: new workers with new code and configuration first, then the old ones drain one by one, so that nobody is sent away twice. */
import type { Logger } from "pino";
import type { Config } from "../config/config.js";
import { configKeys, configOf, valueAt } from "../config/keys.js";
import type { Supervisor } from "./supervisor.js";
import type { WorkerProcess } from "./worker-process.js";

export interface ReloadOptions {
  readonly supervisor: Supervisor;
  /** What the node was started with. */
  readonly config: Config;
  readonly log: Logger;
  /** Drains a worker. @returns once it has ended */
  readonly drained: (worker: WorkerProcess) => Promise<void>;
}

/** What workers take from the configuration; all the rest belongs to the primary, which a reload does not start anew. */
const TAKEN = /^(app|workers|http\.|hub\.|engine\.|socketio\.)/;
/** The front finds sessions by the first; by the second workers that are old and new reach each other. */
const KEPT = new Set(["socketio.path", "hub.path"]);

export class Reload {
  readonly #options: ReloadOptions;
  #running = false;

  constructor(options: ReloadOptions) {
    this.#options = options;
  }

  /**
   * @returns once the new workers are in service; the old ones still drain then
   * @throws Error where another reload is under way, or a new worker does not become ready: then the old ones stay
   */
  async run(next: Config): Promise<void> {
    const { supervisor, config, log } = this.#options;
    if (this.#running) throw new Error("a reload is under way");
    this.#running = true;
    const waiting = untakenChanges(config, next);
    if (waiting.length > 0)
      log.warn({ keys: waiting }, "settings that a reload does not change: they wait for a restart");
    log.info({ workers: next.workers }, "reload: new workers start");
    let old: readonly WorkerProcess[];
    try {
      old = await supervisor.replaceAll(merge(config, next));
    } catch (error) {
      this.#running = false;
      log.error({ err: error }, "reload given up: the old workers stay");
      throw error;
    }
    log.info({ workers: next.workers }, "reload: new workers are in service, the old ones drain");
    void this.#drain(old);
  }

  async #drain(old: readonly WorkerProcess[]): Promise<void> {
    const { drained, log } = this.#options;
    try {
      for (const worker of old) await drained(worker);
      log.info("reload: done");
    } finally {
      this.#running = false;
    }
  }
}

const isTaken = (path: string): boolean => TAKEN.test(path) && !KEPT.has(path);

/** Keys whose new value takes a restart. */
function untakenChanges(config: Config, next: Config): string[] {
  return configKeys
    .map(({ path }) => path)
    .filter((path) => !isTaken(path) && JSON.stringify(valueAt(config, path)) !== JSON.stringify(valueAt(next, path)));
}

function merge(config: Config, next: Config): Config {
  return configOf(({ path }) => valueAt(isTaken(path) ? next : config, path)) as Config;
}
