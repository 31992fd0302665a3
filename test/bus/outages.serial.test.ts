/** What Redis can do to two nodes that talk: it is killed, frozen, full, read-only, away for longer than the outbox is large, or not there at all. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { fileScope } from "../hub/fleet.js";
import { freePort } from "../support/free-port.js";
import { newRedis, startRedis, type TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";
import { assertNothingLost, assertOrder, PER_SECOND, startAlone, suffer } from "./outage.js";
import { assertNothingEnded, gapsOf, startPost, waitForBus, waitForReason } from "./posts.js";
import { describe, Traffic, type Post } from "./traffic.js";

const ENV = { LIMPET_BUS_STALL_TIMEOUT_MS: "3000" };

const scope = fileScope();
let redis: TestRedis;
let alone: Post, a: Post, b: Post;
before(async () => {
  redis = await startRedis(scope);
  [alone, a, b] = await Promise.all([
    startAlone(scope),
    startPost(scope, { url: redis.url, id: 1, env: ENV }),
    startPost(scope, { url: redis.url, id: 2, env: ENV }),
  ]);
});

test("a Redis that is killed and comes back empty: what was published meanwhile comes, and what died with Redis is counted", async () => {
  const gaps = (await gapsOf(a)) + (await gapsOf(b));
  const pairs = await suffer("killed", [a, b], alone, {
    begin: () => redis.kill(),
    end: () => redis.start(),
    reason: /ECONNREFUSED|broke|no connection/,
    waiting: [a, b],
  });
  const lost = pairs.reduce((sum, pair) => sum + pair.lost.length, 0);
  // Acknowledged, and not yet read by the other node.
  assert.ok(lost <= PER_SECOND / 10, `${lost} were lost`);
  if (lost > 0) assert.ok((await gapsOf(a)) + (await gapsOf(b)) > gaps, "the loss was not counted");
});

test("a frozen Redis: nothing is lost, and nothing comes twice", async () => {
  const pairs = await suffer("frozen", [a, b], alone, {
    begin: () => redis.freeze(),
    end: () => redis.thaw(),
    reason: /Redis does not answer/,
    waiting: [a, b],
  });
  assertNothingLost(pairs);
});

test("a full Redis: nothing is lost", async () => {
  const admin = redis.client();
  const pairs = await suffer("full", [a, b], alone, {
    begin: () => admin.config("SET", "maxmemory", "1"),
    end: () => admin.config("SET", "maxmemory", "0"),
    reason: /maxmemory/,
    waiting: [a, b],
  });
  assertNothingLost(pairs);
});

test("a Redis that the messages have filled takes them again once the oldest are past their time", async (t) => {
  const own = await startRedis(t);
  const env = { ...ENV, LIMPET_BUS_RETENTION_MS: "3000" };
  const posts = await Promise.all([
    startPost(t, { url: own.url, id: 3, env }),
    startPost(t, { url: own.url, id: 4, env }),
  ]);
  const admin = own.client();
  const used = Number(/used_memory:(\d+)/.exec(await admin.info("memory"))?.[1]);
  await admin.config("SET", "maxmemory", String(used + 1_500_000));
  const traffic = await Traffic.start(posts, { perSecond: 20, bytes: 20_000 });
  await waitForReason(/maxmemory/, posts);
  // Less than the stream alone takes: nothing is written until something is trimmed.
  await admin.config("SET", "maxmemory", String(used + 500_000));
  await traffic.stop();
  await waitForBus(true, posts);
  const pairs = await traffic.settle();
  console.log("filled by the messages:");
  for (const pair of pairs) console.log(`  ${describe(pair)}`);
  assertNothingLost(pairs);
  assertOrder(pairs);
});

test("a Redis that has become read-only: nothing is lost", async () => {
  const admin = redis.client();
  const nobody = await freePort();
  const pairs = await suffer("read-only", [a, b], alone, {
    begin: () => admin.call("REPLICAOF", "127.0.0.1", String(nobody)),
    end: () => admin.call("REPLICAOF", "NO", "ONE"),
    reason: /read only/,
    waiting: [a, b],
  });
  assertNothingLost(pairs);
});

test("an outage longer than the outbox is large: what is over is dropped and counted, the rest comes", async (t) => {
  const maxBytes = 65_536;
  const own = await startRedis(t);
  const env = { ...ENV, LIMPET_BUS_MAX_OUTBOX_BYTES: String(maxBytes) };
  const [c, d] = await Promise.all([
    startPost(t, { url: own.url, id: 3, env }),
    startPost(t, { url: own.url, id: 4, env }),
  ]);
  const traffic = await Traffic.start([c, d], { perSecond: PER_SECOND, bytes: 1_000 });
  own.freeze();
  const droppedOf = (post: Post): Promise<number> =>
    post.node.metric("limpet_bus_dropped_total", { reason: "outbox_full" });
  let most = 0;
  for (const post of [c, d])
    await waitFor(
      async () => {
        most = Math.max(most, await post.node.metric("limpet_bus_outbox_bytes"));
        return (await droppedOf(post)) > 20;
      },
      { message: "messages that are dropped" },
    );
  own.thaw();
  await waitForBus(true, [c, d]);
  await traffic.flows();
  await traffic.stop();
  const pairs = await traffic.settle();
  console.log(`a full outbox: ${most} of ${maxBytes} bytes`);
  for (const pair of pairs) console.log(`  ${describe(pair)}`);
  assert.ok(most > maxBytes / 2 && most <= maxBytes, `the outbox held ${most} bytes`);
  for (const { from, to, lost, duplicates, inOrder } of pairs) {
    const dropped = from === to ? 0 : await droppedOf(from === c.name ? c : d);
    assert.deepEqual({ lost: lost.length, duplicates, inOrder }, { lost: dropped, duplicates: 0, inOrder: true });
  }
});

test("nodes that start without Redis are ready, degraded and say why; when it comes they catch up in order", async (t) => {
  const late = await newRedis(t);
  const env = { ...ENV, LIMPET_BUS_START_TIMEOUT_MS: "500" };
  const posts = await Promise.all([
    startPost(t, { url: late.url, id: 5, env }),
    startPost(t, { url: late.url, id: 6, env }),
  ]);
  for (const { node } of posts) {
    assert.equal((await node.waitForLog(({ msg }) => msg === "ready"))["bus"], "down");
    const told = await node.waitForLog(({ msg }) => msg.startsWith("bus down"));
    assert.match(String(told["reason"]), /ECONNREFUSED/);
  }
  await waitForReason(/ECONNREFUSED/, posts);
  await waitForBus(false, posts);
  const started = Traffic.start(posts, { perSecond: PER_SECOND });
  for (const { node } of posts)
    await waitFor(async () => (await node.metric("limpet_bus_outbox_bytes")) > 5_000, { message: "a filled outbox" });
  await late.start();
  await waitForBus(true, posts);
  const traffic = await started;
  await traffic.stop();
  const pairs = await traffic.settle();
  console.log("down at start:");
  for (const pair of pairs) console.log(`  ${describe(pair)}`);
  for (const { lost, duplicates, inOrder } of pairs)
    assert.deepEqual({ lost: lost.length, duplicates, inOrder }, { lost: 0, duplicates: 0, inOrder: true });
  await assertNothingEnded(posts);
});
