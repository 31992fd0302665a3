/** Who belongs to the fleet, as one node sees it. */
import type { FleetNode } from "./node-record.js";

/**
 * After an outage the others' leases have run out, too, and are renewed one by one: while `complete` is false, whoever was known stays, unless
 * another has its id now.
 *
 * @param living whose lease holds
 * @returns by id
 */
export function memberTable(
  known: readonly FleetNode[],
  living: readonly FleetNode[],
  complete: boolean,
): readonly FleetNode[] {
  if (complete) return living;
  const [ids, uids] = [new Set(living.map(({ id }) => id)), new Set(living.map(({ uid }) => uid))];
  const missed = known.filter(({ id, uid }) => !ids.has(id) && !uids.has(uid));
  return [...living, ...missed].sort((a, b) => a.id - b.id);
}
