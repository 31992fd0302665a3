/**
 * Finding 20: what Redis refuses or does not answer ends a stock server's process. It ends no process of limpet, nor its local traffic, and what
 * could not be published follows.
 *
 * The stock servers here give a command up after 3 tries instead of ioredis' 20, which only brings their end forward.
 */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import type { TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";
import { all, collect, mark, publish } from "./recipe/numbers.js";
import { limpet, startPair, stock, type Side } from "./recipe/sides.js";

const IMPATIENT = { maxRetriesPerRequest: 3 };
const RECOVERY = { connectionStateRecovery: {} };
const COUNT = 40;

interface Outage {
  readonly name: string;
  begin(redis: TestRedis): Promise<unknown>;
  end(redis: TestRedis): Promise<unknown>;
}

const outages: readonly Outage[] = [
  {
    name: "full",
    begin: (redis) => redis.client().config("SET", "maxmemory", "1"),
    end: (redis) => redis.client().config("SET", "maxmemory", "0"),
  },
  {
    name: "read-only",
    begin: (redis) => redis.client().replicaof("127.0.0.1", 1),
    end: (redis) => redis.client().replicaof("NO", "ONE"),
  },
  { name: "killed, and then empty", begin: (redis) => redis.kill(), end: (redis) => redis.start() },
];

/** A server publishes and loses a client during the outage. */
async function duringOutage(t: TestContext, side: Side, outage: Outage) {
  const { redis, a, b } = await startPair(t, side, { ioredis: IMPATIENT, socketio: RECOVERY });
  const local = collect(await a.connect());
  const remote = collect(b.member);
  const leaver = await a.connect();
  await mark(a.member, [a.member, b.member]);
  await outage.begin(redis);
  leaver.client.io.engine.close();
  return { redis, a, b, local, remote };
}

for (const outage of outages) {
  test(`Redis is ${outage.name}: a stock server ends when a client leaves`, async (t) => {
    const { a } = await duringOutage(t, stock, outage);
    await waitFor(() => a.exits() === 1, { timeoutMs: 20_000 });
  });

  test(`Redis is ${outage.name}: limpet goes on, and other nodes get everything afterwards, in order and once`, async (t) => {
    const { redis, a, b, local, remote } = await duringOutage(t, limpet, outage);
    await publish(a.member, COUNT, { everyMs: 50 });
    const late = await a.connect();
    await late.run(({ socket }) => void socket.emit("hello"));
    await waitFor(() => late.received.length === 1);
    await waitFor(() => local.numbers.length === COUNT);
    await waitFor(async () => (await a.metric("limpet_bus_up")) === 0);
    assert.ok((await a.metric("limpet_bus_outbox_bytes")) > 0);
    await outage.end(redis);
    await waitFor(b.reads);
    await mark(a.member, [b.member], 20_000);
    assert.deepEqual(local.outcome(), all(COUNT));
    assert.deepEqual(remote.outcome(), all(COUNT));
    await waitFor(async () => (await a.metric("limpet_bus_up")) === 1);
    assert.equal(await a.metric("limpet_bus_outbox_bytes"), 0);
    assert.equal(await a.metric("limpet_bus_dropped_total"), 0);
    assert.equal(a.exits() + b.exits(), 0);
  });
}
