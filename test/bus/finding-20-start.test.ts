/**
 * Finding 20, at the start and without end: a stock server that finds no Redis ends, and one that cannot read the stream asks without pause. limpet
 * starts alone, waits between its tries, and what exceeds its outbox is counted.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import test, { type TestContext } from "node:test";
import { APP } from "../hub/fleet.js";
import { newRedis } from "../support/redis.js";
import { startStockServer } from "../support/stock-server.js";
import { waitFor } from "../support/wait.js";
import { all, collect, mark, publish } from "./recipe/numbers.js";
import { limpet, startPair, stock, type Side } from "./recipe/sides.js";

// 20 unless told, which only puts off the end.
const IMPATIENT = { maxRetriesPerRequest: 3 };
const COUNT = 40;

test("Redis is down at the start: a stock server ends", async (t) => {
  const { port } = await newRedis(t);
  const server = await startStockServer(t, { app: APP, id: 1, redis: { port, ...IMPATIENT } });
  await waitFor(() => server.ended(), { timeoutMs: 20_000 });
  assert.equal(server.ended()?.code, 1);
});

test("Redis is down at the start: limpet nodes start without it, and deliver what was published before it came", async (t) => {
  const redis = await newRedis(t);
  const env = { LIMPET_BUS_START_TIMEOUT_MS: "500" };
  const { a, b } = await startPair(t, limpet, { redis, env, joins: false });
  for (const { node } of [a, b]) assert.equal((await node?.waitForLog(({ msg }) => msg === "ready"))?.["bus"], "down");
  const local = collect(await a.connect());
  const remote = collect(b.member);
  await publish(a.member, COUNT);
  await waitFor(() => local.numbers.length === COUNT);
  await redis.start();
  await waitFor(b.reads);
  await mark(a.member, [b.member], 20_000);
  assert.deepEqual(remote.outcome(), all(COUNT));
  assert.equal(a.exits() + b.exits(), 0);
});

test("an outage longer than the outbox: what limpet drops is counted, and the rest arrives in order", async (t) => {
  const env = { LIMPET_BUS_MAX_OUTBOX_BYTES: "20000" };
  const { redis, a, b } = await startPair(t, limpet, { env });
  const remote = collect(b.member);
  await mark(a.member, [b.member]);
  await redis.kill();
  await publish(a.member, 1_000);
  await waitFor(async () => (await a.metric("limpet_bus_dropped_total")) > 0);
  await redis.start();
  await waitFor(b.reads);
  await waitFor(async () => (await a.metric("limpet_bus_outbox_bytes")) === 0);
  await mark(a.member, [b.member], 20_000);
  const dropped = await a.metric("limpet_bus_dropped_total");
  const { delivered, duplicates, inOrder } = remote.outcome();
  t.diagnostic(`${delivered} delivered, ${dropped} dropped and counted`);
  assert.deepEqual({ sum: delivered + dropped, duplicates, inOrder }, { sum: 1_000, duplicates: 0, inOrder: true });
  assert.ok(delivered > 0);
  assert.ok((await a.metric("limpet_bus_outbox_bytes")) < 20_000);
});

/** Two idle servers, while the stream cannot be read. */
async function unreadable(t: TestContext, side: Side) {
  const pair = await startPair(t, side);
  const client = pair.redis.client();
  await client.set("socket.io", "no stream");
  const commands = async (): Promise<number> =>
    Number(/total_commands_processed:(\d+)/.exec(await client.info("stats"))?.[1]);
  // The blocking reads that were open go on for up to 5 s: both servers make new ones.
  for (const { proxy } of [pair.a, pair.b]) proxy.cut(({ commands: sent }) => sent.has("XREAD"));
  for (const { proxy } of [pair.a, pair.b]) proxy.heal();
  await waitFor(async () => (await client.info("errorstats")).includes("errorstat_WRONGTYPE"));
  return { ...pair, client, commands };
}

test("a stream that cannot be read: stock servers ask without pause", async (t) => {
  const { commands } = await unreadable(t, stock);
  const before = await commands();
  await waitFor(async () => (await commands()) > before + 2_000, { intervalMs: 100, timeoutMs: 20_000 });
});

test("a stream that cannot be read: limpet pauses, and reads again when it can", async (t) => {
  const { a, b, client, commands } = await unreadable(t, limpet);
  const before = await commands();
  // The length of the measurement.
  await delay(2_000);
  const perSecond = ((await commands()) - before) / 2;
  t.diagnostic(`${perSecond} commands a second`);
  assert.ok(perSecond < 60, `${perSecond} commands a second`);
  await client.del("socket.io");
  await waitFor(b.reads);
  await mark(a.member, [b.member], 20_000);
  assert.equal(a.exits() + b.exits(), 0);
});
