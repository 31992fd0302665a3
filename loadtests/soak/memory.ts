/** Resident memory of processes over their lives, and whether it is flat. */
import { readFileSync } from "node:fs";

/** What a process that keeps nothing may grow by after its warm-up: caches, compiled code, what an allocator holds on to. */
const ALLOWED_MB = 10;
/** Fewer samples say nothing. */
const MIN_SAMPLES = 10;

export interface Sample {
  readonly atMs: number;
  readonly mb: number;
}

export interface Life {
  readonly name: string;
  readonly pid: number;
  readonly samples: readonly Sample[];
}

export interface Growth {
  readonly fromMb: number;
  readonly toMb: number;
  readonly perMinuteMb: number;
  /** By the slope, over the judged time. */
  readonly growthMb: number;
  readonly flat: boolean;
}

/** @returns undefined where the life was too short to judge */
export function growthOf({ samples }: Pick<Life, "samples">, warmUpMs: number): Growth | undefined {
  const [first] = samples;
  if (first === undefined) return undefined;
  const judged = samples.filter(({ atMs }) => atMs >= first.atMs + warmUpMs);
  const [from, to] = [judged[0], judged.at(-1)];
  if (from === undefined || to === undefined || judged.length < MIN_SAMPLES) return undefined;
  const slope = medianSlope(judged);
  const growthMb = slope * (to.atMs - from.atMs);
  return { fromMb: from.mb, toMb: to.mb, perMinuteMb: slope * 60_000, growthMb, flat: growthMb <= ALLOWED_MB };
}

const MAX_POINTS = 200;

/** The median of the slopes between all pairs, in MB a ms: a garbage collection more or less does not move it. */
function medianSlope(samples: readonly Sample[]): number {
  const every = Math.ceil(samples.length / MAX_POINTS);
  const points = samples.filter((_, i) => i % every === 0);
  const slopes: number[] = [];
  for (const [i, a] of points.entries())
    for (const b of points.slice(i + 1)) if (b.atMs > a.atMs) slopes.push((b.mb - a.mb) / (b.atMs - a.atMs));
  return slopes.sort((a, b) => a - b)[slopes.length >> 1] ?? 0;
}

export class MemoryLog {
  readonly #lives = new Map<number, { name: string; pid: number; samples: Sample[] }>();

  get lives(): readonly Life[] {
    return [...this.#lives.values()];
  }

  /** Notes the processes' memory; one that has ended meanwhile is passed over. */
  sample(processes: ReadonlyMap<number, string>, atMs: number): void {
    for (const [pid, name] of processes) {
      const mb = residentMb(pid);
      if (mb === undefined) continue;
      const life = this.#lives.get(pid) ?? { name, pid, samples: [] };
      life.samples.push({ atMs, mb });
      this.#lives.set(pid, life);
    }
  }

  /** What each process has now, by name. */
  latest(processes: ReadonlyMap<number, string>): string {
    return [...processes]
      .map(([pid, name]) => `${name} ${this.#lives.get(pid)?.samples.at(-1)?.mb.toFixed(0) ?? "?"}`)
      .join(", ");
  }
}

function residentMb(pid: number): number | undefined {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1_024;
  } catch {
    // It has just ended; whether it should have is looked at elsewhere.
    return undefined;
  }
}
