/**
 * One picture of a node from the snapshots of its processes. What a worker said last counts until it says more, so a busy one neither fails nor
 * skews a scrape; what it has counted stays counted after its end, so sums never go down.
 *
 * Counters and histograms are summed over the workers, gauges of the app too. Node's default metrics, and those the catalog calls `perWorker`,
 * are told apart by a `worker` label: the slot, or "primary".
 */
import { AggregatorRegistry, Registry, type PrometheusContentType } from "prom-client";
import { metricCatalog } from "./catalog.js";

/** One metric of prom-client's `registry.getMetricsAsJSON()`; as a JSON text it can be told to the primary. */
export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  /** How prom-client would merge it. */
  readonly aggregator: string;
  readonly values: readonly MetricValue[];
}

export interface MetricValue {
  /** `null` is what JSON makes of NaN and the infinities. */
  readonly value: number | null;
  readonly labels: Readonly<Record<string, string | number>>;
  /** The series' name, where it is not the metric's: `…_bucket`, `…_sum`, `…_count`. */
  readonly metricName?: string;
}

/** A worker's process: its slot, which a later one may have again, and a number that no other one has had. */
export interface WorkerIdentity {
  readonly slot: number;
  readonly incarnation: number;
}

/** What {@link NodeMetrics.render} returns, as an HTTP content type. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Ended workers whose late snapshots are recognised: more than can be under way. */
const REMEMBERED_ENDS = 1_000;

const perWorkerNames: ReadonlySet<string> = new Set(
  metricCatalog.filter(({ perWorker }) => perWorker).map(({ name }) => name),
);

export class NodeMetrics {
  readonly #workers = new Map<number, { readonly slot: number; readonly snapshot: readonly MetricSnapshot[] }>();
  readonly #ended = new Set<number>();
  /** What the workers that ended had counted. */
  #retired: readonly MetricSnapshot[] = [];

  /** Takes a worker's newest snapshot. One that comes after the worker's end is ignored: its last is counted already. */
  update({ slot, incarnation }: WorkerIdentity, snapshot: readonly MetricSnapshot[]): void {
    if (!this.#ended.has(incarnation)) this.#workers.set(incarnation, { slot, snapshot });
  }

  /** Takes what of a worker's metrics has changed; the rest is as it last said. */
  merge(worker: WorkerIdentity, changed: readonly MetricSnapshot[]): void {
    const byName = new Map(this.#workers.get(worker.incarnation)?.snapshot.map((metric) => [metric.name, metric]));
    for (const metric of changed) byName.set(metric.name, metric);
    this.update(worker, [...byName.values()]);
  }

  /** The worker has ended. */
  retire(incarnation: number): void {
    if (this.#ended.has(incarnation)) return;
    this.#ended.add(incarnation);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= REMEMBERED_ENDS) break;
      this.#ended.delete(oldest);
    }
    const worker = this.#workers.get(incarnation);
    if (worker === undefined) return;
    this.#workers.delete(incarnation);
    const counted = worker.snapshot.filter(({ name, type }) => !isPerProcess(name) && type !== "gauge");
    this.#retired = sum([this.#retired, counted.map((metric) => withValues(metric))]);
  }

  /**
   * @param primary the primary's own snapshot
   * @returns Prometheus' text format
   */
  async render(primary: readonly MetricSnapshot[]): Promise<string> {
    const bySlot = new Map([...this.#workers.values()].map((worker) => [worker.slot, worker]));
    const live = [...this.#workers.values()].map((worker) => {
      // While a slot's next worker has begun and its last has not ended, only the newer one has the slot's series.
      const holdsSlot = bySlot.get(worker.slot) === worker;
      return worker.snapshot
        .filter(({ name }) => holdsSlot || !isPerProcess(name))
        .map((metric) => labelled(metric, String(worker.slot)));
    });
    const all = [primary.map((metric) => labelled(metric, "primary")), this.#retired, ...live];
    return await aggregate(all).metrics();
  }
}

function isPerProcess(name: string): boolean {
  return perWorkerNames.has(name) || name.startsWith("process_") || name.startsWith("nodejs_");
}

function labelled(metric: MetricSnapshot, worker: string): MetricSnapshot {
  return isPerProcess(metric.name) ? withValues(metric, { worker }) : withValues(metric);
}

/** A copy without the values that are no numbers, which prom-client is to merge by summing. */
function withValues(metric: MetricSnapshot, labels: Readonly<Record<string, string>> = {}): MetricSnapshot {
  const values = metric.values
    .filter(({ value }) => value !== null)
    .map((value) => ({ ...value, labels: { ...value.labels, ...labels } }));
  return { ...metric, aggregator: "sum", values };
}

function aggregate(snapshots: readonly (readonly MetricSnapshot[])[]): AggregatorRegistry<PrometheusContentType> {
  return AggregatorRegistry.aggregate([...snapshots]) as AggregatorRegistry<PrometheusContentType>;
}

function sum(snapshots: readonly (readonly MetricSnapshot[])[]): readonly MetricSnapshot[] {
  // The merged registry holds its metrics in the form of a snapshot.
  return aggregate(snapshots).getMetricsAsArray() as unknown as readonly MetricSnapshot[];
}
