/** What is wrong with a configuration, said so that it can be put right: which key, which value, from where, what is allowed. */

export interface Problem {
  /** The key, variable or flag as it was written. */
  readonly key: string;
  /** The value as it was written (JSON for the file's), where there is one. */
  readonly value?: string;
  /** `file limpet.yaml:3`, `variable LIMPET_PORT`, `flag --port`. */
  readonly origin: string;
  /** What is allowed, and for near misses what may have been meant. */
  readonly message: string;
}

const MAX_VALUE_CHARS = 80;

/** A value as a report shows it: on one line, not longer than a line. */
export function showValue(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > MAX_VALUE_CHARS ? `${json.slice(0, MAX_VALUE_CHARS)}…` : json;
}

/** The problem on one line, whatever was written. */
export function formatProblem({ key, value, origin, message }: Problem): string {
  return `${key}${value === undefined ? "" : ` = ${value}`} (${origin}): ${message}`.replace(/\p{Cc}+/gu, " ");
}

/** Carries every problem found, not the first alone; its message is the whole report, one line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
    super([`${count} in the configuration:`, ...problems.map((problem) => `  ${formatProblem(problem)}`)].join("\n"));
    this.problems = problems;
  }
}
