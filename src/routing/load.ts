/**
 * The load of one worker as the front sees it: sessions it has reported, and sessions that are on their way to it. A burst spreads evenly only
 * when both count, because a worker reports a session some milliseconds after its connection was handed over.
 *
 * Pure: time is handed in.
 */
export class Load {
  #sessions = 0;
  /** Times (ms) at which connections that may become sessions were handed over, oldest first. */
  #onTheWay: number[] = [];

  get sessions(): number {
    return this.#sessions;
  }

  handedOver(nowMs: number): void {
    this.#onTheWay.push(nowMs);
  }

  sessionsOpened(count: number): void {
    this.#sessions += count;
    this.#onTheWay.splice(0, count);
  }

  sessionsClosed(count: number): void {
    this.#sessions = Math.max(0, this.#sessions - count);
  }

  /** Connections handed over less than `maxAgeMs` ago for which no session was reported; older ones were no handshakes, or failed. */
  onTheWay(nowMs: number, maxAgeMs = ON_THE_WAY_MAX_AGE_MS): number {
    while (this.#onTheWay[0] !== undefined && nowMs - this.#onTheWay[0] > maxAgeMs) this.#onTheWay.shift();
    return this.#onTheWay.length;
  }

  total(nowMs: number): number {
    return this.#sessions + this.onTheWay(nowMs);
  }
}

export const ON_THE_WAY_MAX_AGE_MS = 5_000;

/** The candidate with the least load; `undefined` of none. Among equals the first after `startAt` wins, so that equals take turns. */
export function leastLoaded<T>(
  candidates: readonly T[],
  loadOf: (candidate: T) => number,
  startAt: number,
): T | undefined {
  let best: T | undefined;
  let bestLoad = Infinity;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[(startAt + i) % candidates.length];
    if (candidate === undefined) continue;
    const load = loadOf(candidate);
    if (load < bestLoad) {
      best = candidate;
      bestLoad = load;
    }
  }
  return best;
}
