/** The numbers of nodes: which one to take without Redis, and what is said when one cannot be had. */
import { randomInt } from "node:crypto";
import { MAX_NODES } from "../routing/address.js";
import type { NodeRecord } from "./node-record.js";

/** Leases are handed out from 0 up: a number from the upper half meets none of them for long. */
const FIRST_WITHOUT_LEASE = MAX_NODES / 2;

export function randomNodeId(): number {
  return randomInt(FIRST_WITHOUT_LEASE, MAX_NODES);
}

/** A user can mend it: it is shown without its stack. */
export class NodeIdError extends Error {
  override readonly name = "StartError";
}

export function heldByAnother(id: number, holder: NodeRecord): NodeIdError {
  const where = holder.address === null ? "a node that does not listen yet" : `the node at ${holder.address}`;
  const started = new Date(holder.startedAtMs).toISOString();
  const leased = holder.fixed ? "" : ", by a lease: let all nodes of a fleet have fixed ids, or none";
  return new NodeIdError(`node id ${id} is held by ${where} (started ${started})${leased}`);
}

export function noneFree(): NodeIdError {
  return new NodeIdError(`no node id is free: all ${MAX_NODES} are held`);
}
