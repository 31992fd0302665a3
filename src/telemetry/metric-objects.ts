/** Makes prom-client's objects from the catalog, typed by their labels' bounded values and starting at 0. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { LabelValues, MetricDefinition } from "./catalog.js";
import type { MetricSnapshot } from "./node-metrics.js";

type LabelsOf<D extends MetricDefinition> = {
  readonly [K in keyof D["labels"]]: D["labels"][K] extends readonly (infer V)[] ? V : string;
};
type Recorder<D extends MetricDefinition> = keyof D["labels"] extends never
  ? (value?: number) => void
  : (labels: LabelsOf<D>, value?: number) => void;
type Setter<D extends MetricDefinition> = keyof D["labels"] extends never
  ? (value: number) => void
  : (labels: LabelsOf<D>, value: number) => void;

export interface CounterOf<D extends MetricDefinition> {
  /** By 1, where no value is given. */
  readonly inc: Recorder<D>;
}
export interface GaugeOf<D extends MetricDefinition> {
  readonly set: Setter<D>;
  readonly inc: Recorder<D>;
  readonly dec: Recorder<D>;
  /** Forgets all label combinations; without labels it is 0 again. */
  reset(): void;
  /** Without labels: there is no series until it is set again. */
  remove(): void;
}
export interface HistogramOf<D extends MetricDefinition> {
  readonly observe: Setter<D>;
}

export type MetricOf<D extends MetricDefinition> = D["type"] extends "counter"
  ? CounterOf<D>
  : D["type"] extends "gauge"
    ? GaugeOf<D>
    : HistogramOf<D>;

/** One object a metric, under the catalog's keys. */
export type MetricsOf<C extends Readonly<Record<string, MetricDefinition>>> = {
  readonly [K in keyof C]: MetricOf<C[K]>;
};

/**
 * @param totals totals kept elsewhere, read when the metrics are collected: for counters on paths too hot for a call per event
 */
export function createMetrics<C extends Readonly<Record<string, MetricDefinition>>>(
  catalog: C,
  registry: Registry,
  totals: { readonly [K in keyof C]?: () => number } = {},
): MetricsOf<C> {
  const metrics = Object.entries(catalog).map(([key, definition]) => [
    key,
    createMetric(definition, registry, totals[key]),
  ]);
  return Object.fromEntries(metrics) as MetricsOf<C>;
}

/** The registry's values now; serialisable. */
export async function snapshotOf(registry: Registry): Promise<MetricSnapshot[]> {
  // prom-client's types call the kind of a metric an enum; it is its name.
  return (await registry.getMetricsAsJSON()) as unknown as MetricSnapshot[];
}

function createMetric(
  { name, help, type, labels, buckets }: MetricDefinition,
  registry: Registry,
  total: (() => number) | undefined,
): Counter | Gauge | Histogram {
  const options = { name, help, labelNames: Object.keys(labels), registers: [registry] };
  const combinations = combine(Object.entries(labels));
  switch (type) {
    case "counter": {
      const counter: Counter = new Counter({
        ...options,
        ...(total && {
          collect: () => {
            counter.reset();
            counter.inc(total());
          },
        }),
      });
      for (const combination of combinations) counter.inc(combination, 0);
      return counter;
    }
    case "gauge": {
      const gauge = new Gauge(options);
      for (const combination of combinations) gauge.set(combination, 0);
      return gauge;
    }
    case "histogram": {
      const histogram = new Histogram({ ...options, ...(buckets && { buckets: [...buckets] }) });
      for (const combination of combinations) histogram.zero(combination);
      return histogram;
    }
  }
}

/** Every combination of the labels' values; none where a label's values are not known beforehand. */
function combine(labels: readonly (readonly [string, LabelValues])[]): Record<string, string>[] {
  return labels.reduce<Record<string, string>[]>(
    (combinations, [label, values]) =>
      combinations.flatMap((combination) => (values ?? []).map((value) => ({ ...combination, [label]: value }))),
    [{}],
  );
}
