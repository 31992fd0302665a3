/** The results as one table in Markdown: a line for each work, unit and server. */
import type { Figure } from "./figure.js";
import type { Work } from "./works.js";

/** What one server did in each round; an error where it did not get through. */
export type Results = ReadonlyMap<string, readonly (readonly Figure[] | Error)[]>;

const HEADER = ["work", "server", "unit", "median", "ratio", "spread", "p50 ms", "p99 ms"];
/** Columns of figures, which stand at the right. */
const FIRST_FIGURE = 3;

export function tableOf(measured: readonly { readonly work: Work; readonly results: Results }[]): string {
  const rows = measured.flatMap(({ work, results }) => rowsOf(work, results));
  const widths = HEADER.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i < FIRST_FIGURE ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(" | ")} |`;
  const rule = widths.map((width, i) => (i < FIRST_FIGURE ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(HEADER), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}

function rowsOf({ title, sides }: Work, results: Results): string[][] {
  const [first] = sides;
  const ofSide = (name: string): readonly (readonly Figure[])[] =>
    (results.get(name) ?? []).filter((result): result is readonly Figure[] => !(result instanceof Error));
  const units = [...results.values()].flat().find((result) => !(result instanceof Error)) ?? [];
  const rows: string[][] = [];
  for (const n of (units as readonly Figure[]).keys()) {
    const base = median(ofSide(first?.name ?? "").map((figures) => figures[n]?.value ?? NaN));
    for (const { name } of sides) {
      const figures = ofSide(name).flatMap((all) => all[n] ?? []);
      const failed = (results.get(name)?.length ?? 0) - figures.length;
      const values = figures.map(({ value }) => value);
      const latencies = figures.flatMap(({ latency }) => latency ?? []);
      const unit = (units as readonly Figure[])[n]?.unit ?? "";
      rows.push([
        rows.length === 0 ? title : "",
        failed === 0 ? name : `${name} (${failed} failed)`,
        unit,
        digits(median(values)),
        base === 0 ? "" : (median(values) / base).toFixed(2),
        values.length < 2 ? "" : `${digits(Math.min(...values))}–${digits(Math.max(...values))}`,
        latencies.length === 0 ? "" : digits(median(latencies.map(({ p50Ms }) => p50Ms))),
        latencies.length === 0 ? "" : digits(median(latencies.map(({ p99Ms }) => p99Ms))),
      ]);
    }
  }
  return rows;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;

function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}
