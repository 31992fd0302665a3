/**
 * Finding 19: with the stock adapter clients on the same server wait for Redis as well: the message is written to the stream first. On limpet
 * they do not, and those on other nodes get everything later, in order.
 */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { all, collect, mark, publish, type Outcome } from "./recipe/numbers.js";
import { limpet, startPair, stock, type Side } from "./recipe/sides.js";

const EVERY_MS = 50;
const FROZEN_MS = 8_000;
const COUNT = FROZEN_MS / EVERY_MS;

interface Frozen {
  readonly local: Outcome;
  readonly remote: Outcome;
  /** At the end of the freeze. */
  readonly localWhileFrozen: number;
  readonly localDelaysMs: readonly number[];
}

/** Redis stands still for 8 s while a server publishes. */
async function frozen(t: TestContext, side: Side): Promise<Frozen> {
  const { redis, a, b } = await startPair(t, side);
  const local = collect(await a.connect());
  const remote = collect(b.member);
  await mark(a.member, [a.member, b.member]);
  redis.freeze();
  let localWhileFrozen;
  try {
    await publish(a.member, COUNT, { everyMs: EVERY_MS });
    localWhileFrozen = local.numbers.length;
  } finally {
    redis.thaw();
  }
  await mark(a.member, [a.member, b.member], 20_000);
  return {
    local: local.outcome(),
    remote: remote.outcome(),
    localWhileFrozen,
    localDelaysMs: [...local.delaysMs].sort((x, y) => x - y),
  };
}

test("Redis frozen for 8 s: with the stock adapter a client of the same server waits for it", async (t) => {
  const { localWhileFrozen, localDelaysMs } = await frozen(t, stock);
  assert.equal(localWhileFrozen, 0);
  assert.ok((localDelaysMs.at(-1) ?? 0) > FROZEN_MS * 0.9, `at most ${localDelaysMs.at(-1)} ms`);
});

test("Redis frozen for 8 s: limpet's local delivery has a p99 under 50 ms, and other nodes get all of it, in order and once", async (t) => {
  const { local, remote, localDelaysMs } = await frozen(t, limpet);
  assert.deepEqual(local, all(COUNT));
  const p99 = localDelaysMs[Math.ceil(COUNT * 0.99) - 1] ?? Infinity;
  t.diagnostic(`local p99 ${p99} ms`);
  assert.ok(p99 < 50, `local p99 ${p99} ms`);
  assert.deepEqual(remote, all(COUNT));
});
