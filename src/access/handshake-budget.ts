/** How many sessions may begin, and how many there may be: the same for the front, and for workers that are asked on connections which they have already. */
import type { Config } from "../config/config.js";
import { Budget } from "../routing/budget.js";

/** What may begin at once, as a share of time: few enough that those who are connected do not notice. */
const BURST_MS = 100;
const CONNECTIONS_PER_WORKER = 20_000;

/** Of one worker's new sessions. */
export function handshakeBudget({ handshakesPerSecond, maxWaitMs }: Config["access"]): Budget {
  return new Budget({ count: handshakesPerSecond || null, perMs: 1_000, burstMs: BURST_MS, maxDebtMs: maxWaitMs });
}

export function maxConnectionsOf({ access, workers }: Pick<Config, "access" | "workers">): number {
  return access.maxConnections ?? workers * CONNECTIONS_PER_WORKER;
}
