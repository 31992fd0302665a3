/** Finding 20 again: Redis is away for longer than a stock server waits for it before it ends, which is 73 seconds at its start. */
import assert from "node:assert/strict";
import test from "node:test";
import { startRedis } from "../support/redis.js";
import { startProxy } from "../support/tcp-proxy.js";
import { waitFor } from "../support/wait.js";
import { assertNothingLost, assertOrder } from "./outage.js";
import { assertNothingEnded, startPost, waitForBus, waitForReason } from "./posts.js";
import { describe, Traffic } from "./traffic.js";

const AWAY_MS = 85_000;

test("85 seconds without Redis: no process ends, and everything that was published meanwhile comes, in order and once", async (t) => {
  const redis = await startRedis(t);
  const network = await startProxy(redis.port, t);
  const posts = await Promise.all([1, 2].map((id) => startPost(t, { url: network.url, id })));
  const traffic = await Traffic.start(posts, { perSecond: 10 });

  network.cut();
  const awaySinceMs = Date.now();
  await waitForReason(/ECONNRESET|broke|no connection/, posts);
  await waitFor(() => Date.now() - awaySinceMs >= AWAY_MS, { timeoutMs: AWAY_MS + 10_000, intervalMs: 250 });
  await traffic.flows(20, (from, to) => from === to);
  await assertNothingEnded(posts);
  network.heal();
  await waitForBus(true, posts, 30_000);
  await traffic.flows();
  await traffic.stop();
  const pairs = await traffic.settle();
  for (const pair of pairs) console.log(`  ${describe(pair)}`);
  assertOrder(pairs);
  assertNothingLost(pairs);
  await assertNothingEnded(posts);
  for (const { node } of posts) {
    assert.equal(await node.metric("limpet_bus_dropped_total"), 0);
    await waitFor(async () => (await node.metric("limpet_bus_outbox_bytes")) === 0, { message: "an empty outbox" });
  }
});
