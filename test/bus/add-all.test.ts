/** The script that writes a batch, against a real Redis: who is subscribed decides in that instant whether messages share entries. */
import assert from "node:assert/strict";
import test, { before, type TestContext } from "node:test";
import type { Redis } from "ioredis";
import { addAll } from "../../src/bus/add-all.js";
import { readBundle } from "../../src/bus/bundle.js";
import type { Watched } from "../../src/bus/bundling.js";
import { encodeEntry, streamEntry, type StreamEntry } from "../../src/bus/entry.js";
import { fileScope } from "../hub/fleet.js";
import { startRedis, type TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";

const RETENTION_MS = 60_000;
const [ALL, READERS] = ["socket.io#/#", "socket.io#bundles#"];
const watched: Watched = { plainKey: "limpet:{s}:plain", all: ALL, readers: READERS, retentionMs: RETENTION_MS };
const HUGE = "x".repeat(5_000);

const scope = fileScope();
let redis: TestRedis;
let client: Redis;
/** The writer's own node. */
let witness: Redis;
before(async () => {
  redis = await startRedis(scope);
  client = redis.client();
  witness = redis.client();
  await witness.subscribe(ALL, READERS);
});

let n = 0;
const message = (text: string, nsp: string | null = "/", header = "{}"): StreamEntry =>
  streamEntry("uid", ++n, { type: 3, header, nsp: nsp ?? undefined, payload: { bin: false, body: Buffer.from(text) } });
const messages = (count: number): StreamEntry[] => Array.from({ length: count }, (_, i) => message(`{"message":${i}}`));

interface Written {
  readonly entries: string[][];
  /** Their number, and those of the messages in each. */
  readonly shape: number[];
}

async function write(entries: readonly StreamEntry[], by: Pick<Redis, "call"> = client): Promise<Written> {
  await client.del("s");
  const batch = { stream: "s", trimsTo: "", entries, watched };
  const [lastId] = (await by.call("EVAL", ...(addAll(batch) as [string, number]))) as [string, number];
  const written = await client.xrange("s", "-", "+");
  assert.equal(written.at(-1)?.[0], lastId);
  const found = written.map(([, fields]) => fields);
  return { entries: found, shape: found.map(countOf) };
}

function countOf(fields: readonly string[]): number {
  const at = fields.indexOf("b");
  let count = 0;
  if (at >= 0) readBundle(Buffer.from(fields[at + 1] ?? ""), () => void count++);
  return count;
}

const alone = (entries: readonly StreamEntry[]): string[][] =>
  entries.map((entry) => encodeEntry(entry).map((field) => field.toString()));

/** Somebody with the namespace open. */
async function subscribe(t: TestContext, ...channels: string[]): Promise<Redis> {
  const subscriber = redis.client();
  await subscriber.subscribe(...channels);
  t.after(() => subscriber.disconnect());
  t.after(() => client.del(watched.plainKey));
  return subscriber;
}

async function leave(subscriber: Redis, channel: string, left: number): Promise<void> {
  subscriber.disconnect();
  await waitFor(async () => (await client.pubsub("NUMSUB", channel))[1] === left);
}

test("where only who reads bundles is subscribed, messages that leave together share an entry", async (t) => {
  assert.deepEqual((await write(messages(3))).shape, [3]);
  await subscribe(t, ALL, READERS);
  const { shape, entries } = await write(messages(3));
  assert.deepEqual(shape, [3]);
  assert.deepEqual(
    entries[0]?.filter((_, i) => i % 2 === 0),
    ["uid", "s", "b", "l"],
    "no nsp: stock readers pass over it",
  );
});

test("a node without subscriptions of its own is no witness: each message is an entry", async (t) => {
  t.after(() => witness.subscribe(ALL, READERS));
  await witness.unsubscribe(ALL, READERS);
  assert.deepEqual((await write(messages(3))).shape, [0, 0, 0]);
});

test("order is kept around what travels alone: large ones, requests, other namespaces", async () => {
  const [request, large, lone] = [message("{}", null), message(HUGE), message("{}", "/lone")];
  const batch = [
    ...messages(2),
    request,
    ...messages(3),
    large,
    message("{}"),
    lone,
    message("{}", "/a"),
    message("{}", "/a"),
  ];
  const { shape, entries } = await write(batch);
  assert.deepEqual(shape, [2, 0, 3, 0, 0, 0, 2]);
  assert.deepEqual([entries[1], entries[3], entries[4], entries[5]], alone([request, large, batch[7] as never, lone]));
});

test("where a stock server is subscribed each message is an entry, the same as if it were written alone", async (t) => {
  await subscribe(t, ALL, READERS);
  await subscribe(t, ALL);
  const batch = [
    message("{}"),
    message('{"é🐚":"\\n"}', "/", '{"r":["é"]}'),
    message("3 2 2\n{}{}"),
    message(HUGE),
    message(""),
  ];
  assert.deepEqual((await write(batch)).entries, alone(batch));
  const other = [message("{}", "/other"), message("{}", "/other")];
  assert.deepEqual((await write(other)).entries, alone(other), "in every namespace: it may open that one");
});

test("and so for the retention after it was last seen: it may only have lost its subscriptions", async (t) => {
  const stock = await subscribe(t, ALL);
  await write(messages(2));
  await client.pexpire(watched.plainKey, 1_000);
  await write(messages(2));
  await leave(stock, ALL, 1);
  const keptMs = await client.pttl(watched.plainKey);
  assert.ok(keptMs > RETENTION_MS / 2 && keptMs <= RETENTION_MS, `${keptMs} ms`);
  assert.deepEqual((await write(messages(2))).shape, [0, 0]);
  await client.pexpire(watched.plainKey, 1);
  await waitFor(async () => (await client.exists(watched.plainKey)) === 0);
  assert.deepEqual((await write(messages(2))).shape, [2]);
});

test("a stock server with sharded pub/sub is seen as well", async (t) => {
  const stock = await subscribe(t, "socket.io#of another kind#");
  await stock.ssubscribe(ALL);
  assert.deepEqual((await write(messages(2))).shape, [0, 0]);
});

for (const denied of ["pubsub|shardnumsub", "pubsub|numsub"])
  test(`where Redis does not say who is subscribed, each message is an entry (no right to ${denied})`, async (t) => {
    const rights = ["reset", "~*", "&*", "+@all", `-${denied}`];
    await client.call("ACL", "SETUSER", "limpet", ...rights, "on", ">secret");
    t.after(() => client.del(watched.plainKey));
    const limited = redis.client();
    await limited.call("AUTH", "limpet", "secret");
    assert.deepEqual((await write(messages(2), limited)).shape, [0, 0]);
  });

test("a full Redis takes nothing of a batch, neither the mark nor a message", async (t) => {
  await subscribe(t, ALL);
  await client.config("SET", "maxmemory", "1");
  try {
    await assert.rejects(write(messages(2)), /OOM/);
  } finally {
    await client.config("SET", "maxmemory", "0");
  }
  assert.equal(await client.exists("s", watched.plainKey), 0);
});
