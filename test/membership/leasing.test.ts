/** Which id a node gets where none is fixed. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { MAX_NODES } from "../../src/routing/address.js";
import { LEASES, NODES, newMember, readyRedis, startMember, tablesHold, type Network } from "./member.js";
import { startRedis } from "../support/redis.js";

const QUARANTINE_MS = 60_000;

/** All ids were in use, and each is free since `freeForMs` of it, by Redis' clock; below 0 where its lease holds. */
async function useAllIds(t: TestContext, url: string, freeForMs: (id: number) => number) {
  const redis = await readyRedis(t, url);
  const [seconds] = (await redis.call("TIME")) as string[];
  const nowMs = Number(seconds) * 1000;
  const entries = Array.from({ length: MAX_NODES }, (_, id) => [nowMs - freeForMs(id), id]).flat();
  await redis.call("ZADD", LEASES, ...entries);
  return redis;
}

test("fifty nodes that start at once get fifty ids, from 0 up, and see each other", async (t) => {
  const { url } = await startRedis(t);
  const members = await Promise.all(
    Array.from({ length: 50 }, (_, i) => startMember(t, url, { leaseMs: 15_000, address: `10.0.0.${i}:3000` })),
  );
  const ids = members.map(({ id }) => id).sort((a, b) => a - b);
  assert.deepEqual(ids, [...Array(50).keys()]);
  for (const { membership } of members) membership.refresh();
  await tablesHold(members, ids);
  assert.equal(new Set(members[0]?.membership.nodes.map(({ uid }) => uid)).size, 50);
});

test("an id that was given back is not used again while there are others", async (t) => {
  const { url } = await startRedis(t);
  const first = await startMember(t, url);
  assert.equal(first.id, 0);
  await first.membership.stop();
  assert.equal((await startMember(t, url)).id, 1);
});

test("when every id was used, the one that is free for the longest time comes first, and those in quarantine last", async (t) => {
  const { url } = await startRedis(t);
  const free = new Map([
    [7, QUARANTINE_MS + 20_000],
    [3000, QUARANTINE_MS + 30_000],
    [100, QUARANTINE_MS + 10_000],
    [42, QUARANTINE_MS - 20_000],
    [5, QUARANTINE_MS - 30_000],
  ]);
  await useAllIds(t, url, (id) => free.get(id) ?? -600_000);
  const members = [];
  for (let i = 0; i < 5; i++) members.push(await startMember(t, url, { quarantineMs: QUARANTINE_MS }));
  assert.deepEqual(
    members.map(({ id }) => id),
    [3000, 7, 100, 42, 5],
  );
  const warned = members.map(({ logs }) => logs.some(({ msg }) => msg.includes("every free node id was in use")));
  assert.deepEqual(warned, [false, false, false, true, true]);

  const late = newMember(t, url, { quarantineMs: QUARANTINE_MS });
  await assert.rejects(late.membership.start(10_000), {
    name: "StartError",
    message: `no node id is free: all ${MAX_NODES} are held`,
  });
});

test("an id whose last holder answers at its last address is left to it, lease or not", async (t) => {
  const { url } = await startRedis(t);
  const redis = await useAllIds(t, url, (id) => (id < 3 ? 600_000 - id * 1000 : -600_000));
  const lost = { version: "", workers: 1, sessions: 0, lagSeconds: null, startedAtMs: 1, fixed: false };
  const records = [
    ["0", { ...lost, uid: "alive", address: "10.0.0.1:3000" }],
    ["1", { ...lost, uid: "replaced", address: "10.0.0.2:3000" }],
    ["2", { ...lost, uid: "silent", address: "10.0.0.3:3000" }],
  ] as const;
  for (const [id, record] of records) await redis.call("HSET", NODES, id, JSON.stringify(record));
  const network: Network = new Map([
    ["10.0.0.1:3000", "alive"],
    ["10.0.0.2:3000", "another"],
  ]);
  const first = await startMember(t, url, { network });
  const second = await startMember(t, url, { network });
  assert.deepEqual([first.id, second.id], [1, 2]);
  assert.ok(first.logs.some(({ msg, address }) => msg.includes("its id is left to it") && address === "10.0.0.1:3000"));
});

test("a node that is told to stop while it waits for Redis does not start", async (t) => {
  const { membership } = newMember(t, "redis://127.0.0.1:1");
  const started = membership.start(60_000);
  await Promise.all([assert.rejects(started), membership.stop()]);
});
