/**
 * The block of TCP ports on which a node's workers can be reached one by one: a port for each worker there can be at a time, twice as many as are in
 * service, for a reload starts the new ones beside the old. A slot has the same port for as long as the node lives.
 */
import { MAX_SLOTS } from "./address.js";

/** @param workers that the node was started with */
export function slotPortCount(workers: number): number {
  return Math.min(2 * workers, MAX_SLOTS);
}

/** @returns null where slots have no ports */
export function slotPortOf(
  { slotPorts, workers }: { readonly slotPorts: number | null; readonly workers: number },
  slot: number,
): number | null {
  return slotPorts === null ? null : slotPorts + (slot % slotPortCount(workers));
}
