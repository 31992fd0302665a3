/** How messages for other nodes come together before they leave. */
import { Pace } from "../lib/pace.js";

/** Fewer together are not worth a wait: it wakes the process as well. */
const MIN_TOGETHER = 4;
/** What a batch costs beside its entries is small against so many. */
const ENOUGH_TOGETHER = 60;

/** @param maxMs the longest wait; 0: none */
export const gatherPace = (maxMs: number, now: () => number): Pace =>
  new Pace({ maxMs, min: MIN_TOGETHER, enough: ENOUGH_TOGETHER, now });
