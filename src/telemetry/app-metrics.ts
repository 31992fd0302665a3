/** Metrics of the app's own, in the worker's registry: scraped with limpet's, summed over the workers. */
import {
  Counter,
  Gauge,
  Histogram,
  type CounterConfiguration,
  type GaugeConfiguration,
  type HistogramConfiguration,
  type Registry,
} from "prom-client";

export interface AppMetricFactory {
  counter<L extends string>(options: CounterConfiguration<L>): Counter<L>;
  gauge<L extends string>(options: GaugeConfiguration<L>): Gauge<L>;
  histogram<L extends string>(options: HistogramConfiguration<L>): Histogram<L>;
}

const RESERVED = /^(limpet|process|nodejs)_/;

/** Each function throws an Error for a name that is taken, invalid or reserved: `limpet_`, `process_` and `nodejs_` are not the app's. */
export function createAppMetrics(registry: Registry): AppMetricFactory {
  const own = <O extends { name: string }>(options: O): O & { registers: [Registry] } => {
    const reserved = RESERVED.exec(options.name)?.[0];
    if (reserved !== undefined)
      throw new Error(`the metric name "${options.name}" begins with ${reserved}, which is not for the app's metrics`);
    return { ...options, registers: [registry] };
  };
  return {
    counter: (options) => new Counter(own(options)),
    gauge: (options) => new Gauge(own(options)),
    histogram: (options) => new Histogram(own(options)),
  };
}
