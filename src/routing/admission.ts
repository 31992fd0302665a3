/** Which worker a new session goes to, or why none takes it. Pure: time is handed in. */
import type { Budget } from "./budget.js";

/** A worker as the choice sees it. */
export interface Candidate {
  /** Those on their way included. */
  readonly sessions: number;
  /** Connections that wait to be handed to it. */
  readonly waiting: number;
  /** How late its event loop stands. */
  readonly lagMs: number;
  /** Of new sessions. */
  readonly budget: Budget;
}

export interface AdmissionLimits {
  readonly maxWaiting: number;
  readonly maxLagMs: number;
  /** Longest wait for a place in the budget. */
  readonly maxWaitMs: number;
}

/** From the one that says least to the one that says most: where workers differ, the last of theirs is given. */
const REASONS = ["no_worker", "overloaded", "lagging", "over_budget"] as const;
export type NotAdmitted = (typeof REASONS)[number];

export interface Place<C> {
  readonly candidate: C;
  /** When it may be handed over. */
  readonly waitMs: number;
}

/**
 * The least loaded of those that can take it at once; where all must wait, the one with the shortest wait. So a worker that has just replaced another
 * gets what its budget allows, and the others share the rest.
 *
 * @param startAt among equals the first after it wins, so that equals take turns
 */
export function chooseForSession<C extends Candidate>(
  candidates: readonly C[],
  { maxWaiting, maxLagMs, maxWaitMs }: AdmissionLimits,
  nowMs: number,
  startAt: number,
): Place<C> | NotAdmitted {
  let best: C | undefined;
  let bestLoad = Infinity;
  let bestWaitMs = Infinity;
  let reason = 0;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[(startAt + i) % candidates.length];
    if (candidate === undefined) continue;
    const waitMs = candidate.budget.waitMs(nowMs);
    const against = candidate.waiting >= maxWaiting ? 1 : candidate.lagMs > maxLagMs ? 2 : waitMs > maxWaitMs ? 3 : 0;
    if (against !== 0) {
      reason = Math.max(reason, against);
      continue;
    }
    if (waitMs > bestWaitMs) continue;
    const load = candidate.sessions + candidate.waiting;
    if (waitMs === bestWaitMs && load >= bestLoad) continue;
    best = candidate;
    bestLoad = load;
    bestWaitMs = waitMs;
  }
  if (best === undefined) return REASONS[reason] ?? "no_worker";
  return { candidate: best, waitMs: bestWaitMs };
}
