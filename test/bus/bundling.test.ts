/** What a node knows of who else reads the stream, against a real Redis: it looks by itself, and remembers for as long as the stream keeps what is written. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import type { Redis } from "ioredis";
import { Bundling } from "../../src/bus/bundling.js";
import { startRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";
import { connect } from "./connection.js";

const RETENTION_MS = 60_000;
const LOOK_MS = 5_000;
const KEY = "limpet:{socket.io}:plain";
const [ALL, READERS] = ["socket.io#/#", "socket.io#bundles-1#"];

interface Stage {
  readonly bundling: Bundling;
  readonly client: Redis;
  readonly subscribe: (...channels: string[]) => Promise<Redis>;
  /** Lets time pass, and has it look. */
  readonly pass: (ms: number) => Promise<void>;
  readonly failures: Error[];
}

async function stage(
  t: TestContext,
  { args = [], writes = true }: { args?: string[]; writes?: boolean } = {},
): Promise<Stage> {
  const redis = await startRedis(t, { args });
  const client = redis.client();
  const failures: Error[] = [];
  let nowMs = 0;
  let calls = 0;
  const connection = await connect(t, redis);
  const bundling = new Bundling({
    redis: {
      ...connection,
      ready: true,
      call: async (...call) => {
        const reply = await connection.call(...call);
        calls++;
        return reply;
      },
    },
    stream: "socket.io",
    channelPrefix: "socket.io",
    keyPrefix: "limpet:",
    retentionMs: RETENTION_MS,
    writes,
    now: () => nowMs,
    onFailure: (error) => failures.push(error),
  });
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    const before = calls;
    bundling.tick();
    await waitFor(() => calls > before || failures.length > 0, { message: "a look" });
    // The answer is taken in the turn after.
    await new Promise((resolve) => setImmediate(resolve));
  };
  const subscribe = async (...channels: string[]): Promise<Redis> => {
    const subscriber = redis.client();
    await subscriber.subscribe(...channels);
    return subscriber;
  };
  return { bundling, client, subscribe, pass, failures };
}

/** The first look asks twice. */
async function begin({ bundling, pass }: Stage): Promise<void> {
  await pass(0);
  await waitFor(() => bundling.watched !== undefined, { message: "bundles" });
}

test("before it has looked, and on a new connection, each message is an entry", async (t) => {
  const it = await stage(t);
  assert.equal(it.bundling.watched, undefined);
  await begin(it);
  it.bundling.connected();
  assert.equal(it.bundling.watched, undefined);
  await begin(it);
  assert.deepEqual(it.failures, []);
});

test("a server that reads no bundles is seen without a write, and remembered for the retention, by the key too", async (t) => {
  const it = await stage(t);
  const { bundling, client, subscribe, pass } = it;
  await subscribe(ALL, READERS);
  await begin(it);
  const stock = await subscribe(ALL);
  await pass(LOOK_MS);
  assert.equal(bundling.watched, undefined);
  stock.disconnect();
  await waitFor(async () => (await client.pubsub("NUMSUB", ALL))[1] === 1);
  // A Redis that has lost all.
  await client.flushall();
  await pass(RETENTION_MS / 2);
  assert.equal(bundling.watched, undefined);
  const leftMs = await client.pttl(KEY);
  assert.ok(leftMs > RETENTION_MS / 3 && leftMs <= RETENTION_MS / 2, `${leftMs} ms`);
  await client.del(KEY);
  await pass(RETENTION_MS);
  assert.notEqual(bundling.watched, undefined);
  assert.equal(await client.exists(KEY), 0);
});

test("one that has written is remembered as well, and the key is not written for each of its messages", async (t) => {
  const it = await stage(t);
  await it.subscribe(ALL, READERS);
  await begin(it);
  for (let n = 0; n < 100; n++) it.bundling.heard();
  assert.equal(it.bundling.watched, undefined);
  await waitFor(async () => (await it.client.exists(KEY)) === 1);
  const writes = /cmdstat_hset:calls=(\d+)/.exec(await it.client.info("commandstats"))?.[1];
  assert.equal(writes, "1");
});

test("a Redis that is one of a cluster does not know of all subscriptions: no bundles there", async (t) => {
  const { bundling, pass, failures } = await stage(t, { args: ["--cluster-enabled", "yes"] });
  await pass(0);
  await pass(LOOK_MS).catch(() => undefined);
  assert.equal(bundling.watched, undefined);
  assert.deepEqual(failures, []);
});

test("a node that writes none asks nothing", async (t) => {
  const { bundling, client } = await stage(t, { writes: false });
  bundling.tick();
  assert.equal(bundling.watched, undefined);
  assert.equal(/cmdstat_eval/.test(await client.info("commandstats")), false);
});
