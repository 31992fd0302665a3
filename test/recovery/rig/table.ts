/** A verdict in a line. */
import { quantile, type Tally, type Verdict } from "./verdict.js";

const ms = (value: number): string => (Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "–");
const countOf = (value: number): string => value.toLocaleString("en");
const faultsOf = ({ missed, twice, late, due }: Tally): string[] => [missed, twice, late, due].map(countOf);

export const HEADERS = [
  ...["case", "side", "recovered", "intact", "missed", "twice", "late", "of messages"],
  ...["gap p50 ms", "gap p99 ms", "unicasts missed", "twice", "late", "of unicasts"],
] as const;

export const cellsOf = (name: string, side: string, verdict: Verdict): string[] => [
  ...[name, side, `${verdict.recovered} of ${verdict.struck}`, String(verdict.intact)],
  ...faultsOf(verdict.messages),
  ...[ms(quantile(verdict.gapsMs, 0.5)), ms(quantile(verdict.gapsMs, 0.99))],
  ...faultsOf(verdict.unicasts),
];

export function describe(verdict: Verdict): string {
  const { struck, recovered, intact, messages, unicasts, gapsMs } = verdict;
  const counts = ({ missed, twice, late, due }: Tally): string =>
    `missed ${missed}, twice ${twice}, late ${late} of ${due}`;
  return (
    `recovered ${recovered} of ${struck} (intact ${intact}), messages ${counts(messages)}, unicasts ${counts(unicasts)}, ` +
    `gap p50 ${ms(quantile(gapsMs, 0.5))} ms, p99 ${ms(quantile(gapsMs, 0.99))} ms`
  );
}

/** As Markdown, so that it can stand in the docs. */
export function markdown(rows: readonly (readonly string[])[]): string {
  const widths = HEADERS.map((header, i) => Math.max(header.length, ...rows.map((row) => (row[i] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [line(HEADERS), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
