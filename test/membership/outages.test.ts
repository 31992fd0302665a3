/** What Redis' outages leave of a fleet's ids and tables: all of it. */
import assert from "node:assert/strict";
import test from "node:test";
import { waitFor } from "../support/wait.js";
import { NODES, newMember, readyRedis, startMember, tablesHold, type Member, type Network } from "./member.js";
import { newRedis, startRedis } from "../support/redis.js";

const IDS = [0, 1, 2];

async function threeMembers(scope: Parameters<typeof startMember>[0], url: string, leaseMs: number) {
  const network: Network = new Map();
  const members: (Member & { id: number })[] = [];
  for (const id of IDS) {
    const address = `10.0.0.${id}:3000`;
    members.push(await startMember(scope, url, { leaseMs, network, address }));
  }
  await tablesHold(members, IDS);
  return members;
}

/** A complete table of all three, again: a whole lease after the outage's end. */
const wholeAgain = (members: readonly Member[]) =>
  waitFor(() => members.every(({ membership }) => membership.complete && membership.claimed), { timeoutMs: 20_000 });

/** From here on no table may lack one of the three. */
function nobodyMissed(members: readonly Member[]): () => void {
  const from = members.map(({ tables }) => tables.length);
  return () => {
    for (const [i, { tables, yields }] of members.entries()) {
      const since = tables.slice(from[i]);
      assert.ok(since.length > 0, "the outage was noticed");
      for (const { ids } of since) assert.deepEqual(ids, IDS);
      assert.deepEqual(yields, []);
    }
  };
}

test("a Redis that is killed and comes back empty changes no id and no table", async (t) => {
  const server = await startRedis(t);
  const members = await threeMembers(t, server.url, 1500);
  await wholeAgain(members);
  const check = nobodyMissed(members);
  await server.kill();
  await waitFor(() => members.every(({ membership }) => !membership.complete));
  await server.start();
  await wholeAgain(members);
  check();
  const redis = await readyRedis(t, server.url);
  const held = (await redis.call("HGETALL", NODES)) as string[];
  const uids = held.flatMap((text, i) => (i % 2 === 1 ? [(JSON.parse(text) as { uid: string }).uid] : []));
  assert.deepEqual(uids.sort(), members.map(({ uid }) => uid).sort());
  for (const { logs } of members) {
    assert.equal(logs.filter(({ msg }) => msg.includes("could not be renewed")).length, 1, "one line an outage");
    assert.equal(logs.filter(({ msg }) => msg.includes("claimed again")).length, 1);
  }
});

test("a Redis that is emptied in passing changes no id and no table", async (t) => {
  const { url } = await startRedis(t);
  const members = await threeMembers(t, url, 1500);
  await wholeAgain(members);
  const check = nobodyMissed(members);
  await (await readyRedis(t, url)).call("FLUSHALL");
  await waitFor(() => members.every(({ membership }) => !membership.complete));
  await wholeAgain(members);
  check();
});

test("leases that run out because Redis is full drive nobody out of a table", async (t) => {
  const { url } = await startRedis(t);
  const members = await threeMembers(t, url, 1500);
  await wholeAgain(members);
  const check = nobodyMissed(members);
  const redis = await readyRedis(t, url);
  await redis.call("CONFIG", "SET", "maxmemory", "1");
  const leased = (): Promise<unknown> => redis.call("ZCOUNT", "test:{fleet}:leases", Date.now(), "+inf");
  await waitFor(async () => Number(await leased()) === 0, { message: "every lease to run out" });
  assert.ok(members.every(({ membership }) => !membership.complete));
  await redis.call("CONFIG", "SET", "maxmemory", "0");
  await wholeAgain(members);
  check();
});

test("a node that dies leaves the tables with its lease, one that stops at once", async (t) => {
  const { url } = await startRedis(t);
  const [first, second, third] = await threeMembers(t, url, 1500);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  await wholeAgain([first, second, third]);
  second.crash();
  await tablesHold([first, third], [0, 2]);
  await third.membership.stop();
  first.membership.refresh();
  await tablesHold([first], [0], 1000);
  assert.deepEqual(first.tables.at(-1)?.complete, true);
  assert.deepEqual(await newMember(t, url, { nodeId: 2 }).membership.start(10_000), 2);
});

test("a table tells what a node says of itself, and each change of it", async (t) => {
  const { url } = await startRedis(t);
  const status = { sessions: 5, lagSeconds: 0.25 as number | null };
  const told = await startMember(t, url, {
    leaseMs: 1500,
    startedAtMs: 1000,
    workers: 8,
    status: () => ({ ...status }),
  });
  const other = await startMember(t, url, { leaseMs: 1500 });
  const { uid } = told;
  const expected = {
    id: 0,
    uid,
    address: null,
    version: "1.2.3",
    workers: 8,
    ...status,
    startedAtMs: 1000,
    fixed: false,
  };
  assert.deepEqual(other.membership.nodes[0], expected);
  told.membership.announce("10.0.0.9:3000");
  status.sessions = 6;
  status.lagSeconds = null;
  const latest = () => other.tables.at(-1)?.nodes[0];
  await waitFor(() => latest()?.sessions === 6 && latest()?.address !== null);
  assert.deepEqual(latest(), { ...expected, ...status, address: "10.0.0.9:3000" });
});

test("a node that starts without Redis takes an id that no lease reaches, and claims it when Redis is there", async (t) => {
  const server = await newRedis(t);
  const [leased, fixed] = [newMember(t, server.url), newMember(t, server.url, { nodeId: 9 })];
  const [id, nine] = await Promise.all([leased.membership.start(300), fixed.membership.start(300)]);
  assert.equal(nine, 9);
  assert.ok(id >= 2048 && id < 4096, `took ${id}`);
  for (const { membership, tables } of [leased, fixed]) {
    assert.equal(membership.claimed, false);
    assert.deepEqual(tables, []);
  }
  await server.start();
  await tablesHold([leased, fixed], [9, id]);
  assert.equal(leased.membership.claimed, true);
});

test("at a clash that shows once Redis is there the newcomer yields, and the older node keeps its id", async (t) => {
  const server = await newRedis(t);
  const network: Network = new Map();
  const options = { nodeId: 3, network, leaseMs: 1500 };
  const older = newMember(t, server.url, { ...options, startedAtMs: 1_000_000 });
  const newer = newMember(t, server.url, { ...options, startedAtMs: 2_000_000 });
  for (const [i, member] of [older, newer].entries()) {
    assert.equal(await member.membership.start(1), 3);
    const address = `10.0.0.${i}:3000`;
    network.set(address, member.uid);
    member.membership.announce(address);
  }
  await server.start();
  await waitFor(() => newer.yields.length > 0);
  assert.equal(newer.yields[0]?.name, "StartError");
  assert.match(newer.yields[0]?.message ?? "", /^node id 3 is held by the node at 10\.0\.0\.0:3000/);
  await tablesHold([older], [3]);
  assert.deepEqual(older.membership.nodes[0]?.uid, older.uid);
  assert.deepEqual([older.yields.length, newer.yields.length], [0, 1]);
});

test("of two nodes that have started in the same millisecond the one with the larger uid yields", async (t) => {
  const server = await newRedis(t);
  const options = { nodeId: 3, leaseMs: 1500, startedAtMs: 1_000_000 };
  // Not one that claims first, whichever that is: nobody can be reached, so that it shows by renewals alone.
  const [b, a] = [
    newMember(t, server.url, { ...options, uid: "b" }),
    newMember(t, server.url, { ...options, uid: "a" }),
  ];
  for (const { membership } of [b, a]) assert.equal(await membership.start(1), 3);
  await server.start();
  await waitFor(() => b.yields.length > 0, { timeoutMs: 15_000 });
  assert.deepEqual(a.yields, []);
  assert.equal(a.membership.nodes[0]?.uid, "a");
});

test("a node that was started again while Redis was away outlives its own old lease", async (t) => {
  const { url } = await startRedis(t);
  const network: Network = new Map();
  const options = { nodeId: 3, network, leaseMs: 2000 };
  const old = await startMember(t, url, { ...options, address: "10.0.0.7:3000" });
  old.crash();
  const again = newMember(t, url, options);
  // As if Redis had not been there at its start: its first words to it are those of a node that runs.
  const call = again.redis.call.bind(again.redis);
  again.redis.call = () => Promise.reject(new Error("Redis is away"));
  assert.equal(await again.membership.start(1), 3);
  again.redis.call = call;
  network.set("10.0.0.7:3000", again.uid);
  again.membership.announce("10.0.0.7:3000");
  await waitFor(() => again.membership.claimed);
  assert.deepEqual(again.yields, []);
  assert.equal(again.membership.nodes[0]?.uid, again.uid);
});

test("whoever waits for a reading of the table hears of its end, whatever Redis does and when the node ends", async (t) => {
  const server = await startRedis(t);
  const [first, second] = [await startMember(t, server.url), newMember(t, server.url)];
  await second.membership.start(10_000);
  await first.membership.refreshed();
  assert.deepEqual(first.tables.at(-1)?.ids, [0, 1]);
  await server.kill();
  await first.membership.refreshed();
  assert.equal(first.membership.complete, false);
  const waiting = first.membership.refreshed();
  await Promise.all([first.membership.stop(), waiting]);
  await first.membership.refreshed();
});
