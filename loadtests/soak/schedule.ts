/** When a run of the soak does what to its fleet. */

export type Blow = "kill a node" | "restart redis" | "restart redis empty";

export interface Step {
  readonly atMs: number;
  readonly blow: Blow;
}

export interface Plan {
  readonly durationMs: number;
  readonly steps: readonly Step[];
  /** How long what was ended stays away. */
  readonly awayMs: number;
  /** Memory is judged from then on in a process's life. */
  readonly warmUpMs: number;
  /** How long the stream keeps messages: short of the warm-up, so that Redis is warm by then. */
  readonly retentionMs: number;
}

const MINUTE_MS = 60_000;
const KILL_EVERY_MS = 5 * MINUTE_MS;
const MIN_KILLS_AND_ONE = 3;

/** A node is killed every five minutes, or in shorter runs at each third; Redis is restarted between the kills, twice. */
export function planFor(minutes: number): Plan {
  const durationMs = minutes * MINUTE_MS;
  const everyMs = Math.min(KILL_EVERY_MS, durationMs / MIN_KILLS_AND_ONE);
  const spans = Math.round(durationMs / everyMs);
  const between = (span: number): number => (span + 0.5) * everyMs;
  const steps: Step[] = [
    { atMs: between(Math.floor(spans / 6)), blow: "restart redis" },
    { atMs: between(Math.floor(spans / 2)), blow: "restart redis empty" },
  ];
  for (let span = 1; span < spans; span++) steps.push({ atMs: span * everyMs, blow: "kill a node" });
  return {
    durationMs,
    steps: steps.sort((a, b) => a.atMs - b.atMs),
    awayMs: Math.min(20_000, everyMs / 8),
    warmUpMs: Math.min(5 * MINUTE_MS, durationMs / 3),
    retentionMs: Math.max(15_000, Math.min(4 * MINUTE_MS, durationMs / 4)),
  };
}
