/**
 * Finding 18: until it has read its first entry, the stock adapter begins each read at "now", so what is written between two reads never comes.
 * limpet reads from a fixed id on.
 */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { startRedis } from "../support/redis.js";
import { sends } from "../support/tcp-proxy.js";
import { waitFor } from "../support/wait.js";
import { all, collect, mark, publish, type Outcome } from "./recipe/numbers.js";
import { limpet, startPair, stock, type Side } from "./recipe/sides.js";

const READER = sends("XREAD");

async function readerCut(t: TestContext, side: Side): Promise<Outcome> {
  const { a, b } = await startPair(t, side);
  const got = collect(b.member);
  b.proxy.cut(READER);
  await waitFor(() => !b.proxy.links().some((link) => link.open && READER(link)));
  await publish(a.member, 10);
  b.proxy.heal();
  await waitFor(b.reads);
  await mark(a.member, [b.member]);
  return got.outcome();
}

test("the reader's link is cut before the first entry: the stock adapter loses 10 of 10", async (t) => {
  assert.equal((await readerCut(t, stock)).delivered, 0);
});

test("the reader's link is cut before the first entry: limpet delivers 10 of 10", async (t) => {
  assert.deepEqual(await readerCut(t, limpet), all(10));
});

/** The reading process is stopped until its read has run out of time, and a little longer. */
async function busyAcrossRead(t: TestContext, side: Side): Promise<Outcome> {
  const { a, b } = await startPair(t, side);
  const got = collect(b.member);
  process.kill(b.pid, "SIGSTOP");
  try {
    await waitFor(async () => !(await b.reads()));
    await publish(a.member, 6);
  } finally {
    process.kill(b.pid, "SIGCONT");
  }
  await waitFor(b.reads);
  await mark(a.member, [b.member]);
  return got.outcome();
}

test("busy while a read ends without an entry: the stock adapter loses 6 of 6", async (t) => {
  assert.equal((await busyAcrossRead(t, stock)).delivered, 0);
});

test("busy while a read ends without an entry: limpet delivers 6 of 6", async (t) => {
  assert.deepEqual(await busyAcrossRead(t, limpet), all(6));
});

/** A server that takes clients, while its first words to Redis are still on their way. */
async function slowStart(t: TestContext, side: Side): Promise<Outcome> {
  const redis = await startRedis(t);
  const a = await side.start(t, { redis, id: 1 });
  const b = await side.start(t, { redis, id: 2, joins: false, prepareProxy: (proxy) => proxy.delay(400) });
  const got = collect(b.member);
  await publish(a.member, 20, { everyMs: 50 });
  b.proxy.heal();
  await waitFor(b.reads);
  await mark(a.member, [b.member]);
  return got.outcome();
}

test("a slow link at the start: the stock adapter loses what is sent to its first clients", async (t) => {
  const { delivered } = await slowStart(t, stock);
  assert.ok(delivered < 20, `${delivered} of 20 delivered`);
});

test("a slow link at the start: limpet delivers 20 of 20", async (t) => {
  assert.deepEqual(await slowStart(t, limpet), all(20));
});
