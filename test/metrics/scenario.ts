/** Scenarios: what must be done to a real node so that a series moves, and by how much it then has moved. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { metricCatalog, type CataloguedMetric } from "../../src/telemetry/catalog.js";
import type { Labels, Scrape } from "../support/metrics-text.js";
import type { NodeOptions, TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

export interface Move {
  /** A series; those of a histogram end with `_count` or `_sum`. */
  readonly name: string;
  readonly labels?: Labels;
  /** How much it changes, exactly; else {@link atLeast}. */
  readonly by?: number;
  readonly atLeast?: number;
}

export interface Scenario {
  /** A sentence. */
  readonly name: string;
  readonly moves: readonly Move[];
  /** @returns moves whose amount is known only afterwards */
  run(node: TestNode, t: TestContext): Promise<readonly Move[] | void>;
}

/** Scenarios that share a node, in their order. */
export interface Group {
  readonly node: NodeOptions;
  readonly scenarios: readonly Scenario[];
}

/** Runs a scenario and waits until its series have moved as it says, or fails with how they did. */
export async function runScenario(scenario: Scenario, node: TestNode, t: TestContext): Promise<void> {
  const before = await node.metrics();
  const expected = [...scenario.moves, ...((await scenario.run(node, t)) ?? [])];
  const wrong = (after: Scrape): string[] =>
    expected.flatMap((move) => {
      const moved = valueOf(after, move) - valueOf(before, move);
      const fits = move.by === undefined ? moved >= (move.atLeast ?? 1) : moved === move.by;
      const wanted = move.by ?? `at least ${move.atLeast ?? 1}`;
      return fits ? [] : [`${move.name}${JSON.stringify(move.labels ?? {})} moved by ${moved}, not ${wanted}`];
    });
  let last: string[] = [];
  await waitFor(
    async () => {
      last = wrong(await node.metrics());
      return last.length === 0;
    },
    { message: () => last.join("; "), timeoutMs: 15_000 },
  );
}

/** A series that a worker has, or the primary for the first time, may not be there yet. */
function valueOf(scrape: Scrape, { name, labels }: Move): number {
  return scrape.find(name, labels).reduce((sum, { value }) => sum + value, 0);
}

/** The series of the catalog that no scenario moves, as `name{label="value"}`, without those that are `excused`. */
export function unmoved(
  groups: readonly { readonly scenarios: readonly Pick<Scenario, "moves">[] }[],
  excused: readonly Pick<Move, "name" | "labels">[],
): string[] {
  const moves = groups
    .flatMap(({ scenarios }) => scenarios.flatMap((scenario) => scenario.moves))
    .filter(({ by }) => by !== 0);
  const touched = [...moves, ...excused];
  return metricCatalog.flatMap((metric) =>
    seriesOf(metric)
      .filter((labels) => !touched.some((move) => baseName(move.name) === metric.name && carries(move.labels, labels)))
      .map((labels) => `${metric.name}${JSON.stringify(labels)}`),
  );
}

/** @throws AssertionError where a move or an excuse is for a series that the catalog does not have */
export function assertCatalogued(series: readonly Pick<Move, "name" | "labels">[]): void {
  for (const { name, labels = {} } of series) {
    const metric = metricCatalog.find((candidate) => candidate.name === baseName(name));
    assert.ok(metric !== undefined, `${name} is not in the catalog`);
    for (const [label, value] of Object.entries(labels)) {
      if (label === "worker" && metric.perWorker) continue;
      const values = metric.labels[label];
      assert.ok(values !== undefined, `${name} has no label ${label}`);
      assert.ok(values === null || values.includes(value), `${name} has no ${label}="${value}"`);
    }
  }
}

function seriesOf({ labels }: CataloguedMetric): Labels[] {
  return Object.entries(labels).reduce<Labels[]>(
    (all, [label, values]) =>
      values === null ? all : all.flatMap((series) => values.map((value) => ({ ...series, [label]: value }))),
    [{}],
  );
}

function baseName(series: string): string {
  return series.replace(/_(count|sum)$/, "");
}

function carries(labels: Labels = {}, wanted: Labels): boolean {
  return Object.entries(wanted).every(([label, value]) => labels[label] === value);
}
