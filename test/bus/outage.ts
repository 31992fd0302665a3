/** An outage between nodes that talk: no process ends, local delivery keeps its latency, and what was published meanwhile comes in order, once. */
import assert from "node:assert/strict";
import { startFleet } from "../hub/fleet.js";
import type { Scope } from "../support/children.js";
import { waitFor } from "../support/wait.js";
import { assertNothingEnded, waitForBus, waitForReason } from "./posts.js";
import { describe, Traffic, type Pair, type Post } from "./traffic.js";

export const PER_SECOND = 100;
/** Of local messages during an outage; or some times what a node without Redis takes meanwhile, where the machine is busy. */
const MAX_LOCAL_P99_MS = 50;
const MAX_TIMES_ALONE = 3;

export interface Outage {
  readonly begin: () => Promise<unknown> | void;
  readonly end: () => Promise<unknown> | void;
  /** What the nodes that it concerns say; none: the bus stays up. */
  readonly reason?: RegExp;
  /** Whom it concerns; all unless told. */
  readonly down?: readonly Post[];
  /** Whose messages wait for Redis meanwhile. */
  readonly waiting?: readonly Post[];
}

/** A node without Redis: what local delivery takes on this machine now. */
export async function startAlone(scope: Scope): Promise<Post> {
  const { node, members } = await startFleet(scope, { workers: 1 });
  const [member] = members;
  assert.ok(member);
  return { name: "alone", node, member };
}

/** All posts publish before, during and after the outage. @returns what came of each to each */
export async function suffer(
  name: string,
  posts: readonly Post[],
  alone: Post,
  { begin, end, reason, down = posts, waiting = [] }: Outage,
): Promise<readonly Pair[]> {
  const [traffic, control] = await Promise.all([
    Traffic.start(posts, { perSecond: PER_SECOND }),
    Traffic.start([alone], { perSecond: PER_SECOND }),
  ]);

  const sinceMs = Date.now();
  await begin();
  if (reason !== undefined) {
    await waitForBus(false, down);
    await waitForReason(reason, down);
  }
  for (const { node } of waiting)
    await waitFor(async () => (await node.metric("limpet_bus_outbox_bytes")) > 1_000, { message: "a filled outbox" });
  await traffic.flows(PER_SECOND, (from, to) => from === to);
  const [localP99Ms, aloneP99Ms] = [traffic.localP99Ms(sinceMs), control.localP99Ms(sinceMs)];
  await end();
  await waitForBus(true, posts);
  await traffic.flows();
  await Promise.all([traffic.stop(), control.stop()]);
  const pairs = await traffic.settle();

  console.log(`${name}: local p99 ${localP99Ms} ms; ${aloneP99Ms} ms on a node without Redis at the same time`);
  for (const pair of pairs) console.log(`  ${describe(pair)}`);
  await assertNothingEnded(posts);
  for (const { node } of posts)
    await waitFor(async () => (await node.metric("limpet_bus_outbox_bytes")) === 0, { message: "an empty outbox" });
  const limitMs = Math.max(MAX_LOCAL_P99_MS, MAX_TIMES_ALONE * aloneP99Ms);
  assert.ok(localP99Ms < limitMs, `local delivery took ${localP99Ms} ms`);
  assertOrder(pairs);
  return pairs;
}

export function assertOrder(pairs: readonly Pair[]): void {
  for (const { duplicates, inOrder } of pairs)
    assert.deepEqual({ duplicates, inOrder }, { duplicates: 0, inOrder: true });
}

export function assertNothingLost(pairs: readonly Pair[]): void {
  assert.deepEqual(
    pairs.map(({ lost }) => lost.length),
    pairs.map(() => 0),
  );
}
