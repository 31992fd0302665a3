/** Sessions that go from one node to another, with the buses alone: who is asked, what is waited for, what is read. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import test from "node:test";
import type { Redis } from "ioredis";
import type { LogEntry } from "../../src/recovery/log-entry.js";
import { startRedis } from "../support/redis.js";
import { sends, startProxy } from "../support/tcp-proxy.js";
import { waitFor } from "../support/wait.js";
import { claimOf, recordOf, startBusSide } from "./bus-side.js";

/** Calls of a command so far. */
async function callsOf(client: Redis, command: string): Promise<number> {
  const line = new RegExp(`^cmdstat_${command}:calls=(\\d+)`, "m").exec(await client.info("commandstats"));
  return Number(line?.[1] ?? 0);
}

/** A reader begins a moment before its node's start: what is as young as that it reads by itself. */
async function isPast(client: Redis): Promise<boolean> {
  const [[id = "0"] = []] = (await client.xrevrange("socket.io", "+", "-", "COUNT", 1)) as [string, string[]][];
  const [seconds] = (await client.time()) as unknown as [string, string];
  return Number(seconds) * 1_000 - Number.parseInt(id, 10) > 0;
}

test("a living owner is asked: its last state counts, with its unicasts, and all it has delivered is in the taker's log", async (t) => {
  const redis = await startRedis(t);
  const proxy = await startProxy(redis.port, t);
  const [a, b] = [await startBusSide(t, redis.url), await startBusSide(t, proxy.url)];
  const old = recordOf(a.tag, "p");
  await a.sessions.saveNow(old);
  const joined = claimOf(a.tag, { pos: 7, seq: 3, streamId: "5-1" });
  const unicast: LogEntry = {
    ...{ nsp: "/", rooms: ["id-p"], except: [], bin: true, argsBytes: undefined, body: Buffer.from([1, 2, 3]) },
    ...{ origin: { tag: a.tag, pos: 8, wid: 1, seq: 4 }, streamId: undefined, unicast: true, pos: 8, atMs: 1 },
  };
  a.kept.set("p", { ...old, rooms: [["red", joined]], life: joined, unicasts: [unicast] });
  // What b has not read when it asks.
  proxy.stall(sends("XREAD"));
  for (let i = 1; i <= 300; i++) a.publish("red", "n", i);
  let isTaken = false;
  const taking = b.sessions.take("/", "p").finally(() => (isTaken = true));
  await waitFor(() => a.released.length === 1);
  await waitFor(async () => Number(await redis.client().xlen("socket.io")) >= 300);
  assert.equal(isTaken, false);
  proxy.resume();
  const taken = await taking;
  assert.equal(b.logged.length, 300);
  assert.deepEqual(taken, {
    record: {
      ...recordOf(a.tag, "p"),
      generation: 2,
      rooms: [["red", joined]],
      life: joined,
      unicasts: [{ ...unicast, pos: Number.MAX_SAFE_INTEGER, atMs: 0 }],
    },
  });
  assert.deepEqual(a.released, [["p", 2]]);
  assert.deepEqual(b.logged[299]?.origin, { tag: a.tag, pos: 300, wid: 1, seq: 300 });
  assert.match(b.logged[299]?.streamId ?? "", /^\d+-\d+$/);
  await waitFor(() => a.placed.length === 300);
  assert.deepEqual(a.placed[299], [300, b.logged[299]?.streamId]);
});

test("an owner that is gone is not waited for, one that is silent for a second: Redis' record serves", async (t) => {
  const redis = await startRedis(t);
  const [a, b] = [await startBusSide(t, redis.url), await startBusSide(t, redis.url)];
  a.onRelease = () => new Promise(() => undefined);
  await a.sessions.saveNow(recordOf(a.tag, "silent"));
  await a.sessions.saveNow(recordOf(a.tag, "gone"));
  let since = performance.now();
  assert.deepEqual(await b.sessions.take("/", "silent"), { record: { ...recordOf(a.tag, "silent"), generation: 2 } });
  const silentMs = performance.now() - since;
  assert(silentMs >= 900 && silentMs < 3_000, `${silentMs} ms for a silent owner`);
  a.publish("red", "last");
  await waitFor(() => b.logged.length === 1);
  await a.bus.stop();
  since = performance.now();
  assert.deepEqual(await b.sessions.take("/", "gone"), { record: { ...recordOf(a.tag, "gone"), generation: 2 } });
  const goneMs = performance.now() - since;
  assert(goneMs < 800, `${goneMs} ms for an owner that is gone`);
});

test("an owner that has much to do and is heard of is waited for longer: its last state counts", async (t) => {
  const redis = await startRedis(t);
  const [a, b] = [await startBusSide(t, redis.url), await startBusSide(t, redis.url)];
  const last = recordOf(a.tag, "p", { data: Buffer.from("last") });
  await a.sessions.saveNow(recordOf(a.tag, "p"));
  a.onRelease = () => delay(2_500, last);
  const talking = setInterval(() => a.publish("red", "busy"), 50);
  t.after(() => clearInterval(talking));
  assert.deepEqual(await b.sessions.take("/", "p"), { record: { ...last, generation: 2 } });
  assert.deepEqual(b.late, []);
});

test("an owner that says everything but what it is asked is not waited for for ever", async (t) => {
  const redis = await startRedis(t);
  const [a, b] = [await startBusSide(t, redis.url), await startBusSide(t, redis.url)];
  await a.sessions.saveNow(recordOf(a.tag, "p"));
  a.onRelease = () => new Promise(() => undefined);
  const talking = setInterval(() => a.publish("red", "busy"), 50);
  t.after(() => clearInterval(talking));
  const since = performance.now();
  assert.deepEqual(await b.sessions.take("/", "p"), { record: { ...recordOf(a.tag, "p"), generation: 2 } });
  const elapsedMs = performance.now() - since;
  assert(elapsedMs >= 4_900 && elapsedMs < 9_000, `${elapsedMs} ms for an owner that is heard of`);
});

test("what an owner says after it was given up is passed on, once, with the generation it was asked for", async (t) => {
  const redis = await startRedis(t);
  const [a, b] = [await startBusSide(t, redis.url), await startBusSide(t, redis.url)];
  const last = recordOf(a.tag, "p", { data: Buffer.from("last") });
  await a.sessions.saveNow(recordOf(a.tag, "p"));
  a.onRelease = () => new Promise((resolve) => (answer = () => resolve(last)));
  let answer = (): void => assert.fail("it was not asked");
  assert.deepEqual(await b.sessions.take("/", "p"), { record: { ...recordOf(a.tag, "p"), generation: 2 } });
  answer();
  await waitFor(() => b.late.length === 1);
  assert.deepEqual(b.late, [[last, 2]]);
});

test("an owner that was cut off from Redis is asked again until it is back", async (t) => {
  const redis = await startRedis(t);
  const proxy = await startProxy(redis.port, t);
  const [a, b] = [await startBusSide(t, proxy.url), await startBusSide(t, redis.url)];
  const last = recordOf(a.tag, "p", { data: Buffer.from("last") });
  await a.sessions.saveNow(recordOf(a.tag, "p"));
  a.kept.set("p", last);
  proxy.cut();
  await waitFor(() => !a.bus.state.up);
  assert.deepEqual(await b.sessions.take("/", "p"), { record: { ...recordOf(a.tag, "p"), generation: 2 } });
  proxy.heal();
  await waitFor(() => b.late.length === 1, { timeoutMs: 20_000 });
  assert.deepEqual(b.late, [[last, 2]]);
});

test("what an owner that was cut off from Redis still writes of a taken session is refused, and its socket let go", async (t) => {
  const redis = await startRedis(t);
  const proxy = await startProxy(redis.port, t);
  const [a, b] = [await startBusSide(t, proxy.url), await startBusSide(t, redis.url)];
  await a.sessions.saveNow(recordOf(a.tag, "p"));
  proxy.cut();
  await waitFor(() => !a.bus.state.up);
  a.sessions.save(recordOf(a.tag, "p", { data: Buffer.from("late") }));
  assert("record" in (await b.sessions.take("/", "p")));
  proxy.heal();
  await waitFor(() => a.outcomes.length === 2 && a.released.length > 0);
  assert.deepEqual(a.released[0], ["p", 2]);
  assert.deepEqual(a.outcomes, ["written", "refused"]);
  const again = await a.sessions.take("/", "p");
  assert("record" in again);
  assert.deepEqual([again.record.generation, String(again.record.data)], [3, "data"]);
});

test("an owner that hears from Redis that a session was taken, before it is asked for it, has its last state still", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  const proxy = await startProxy(redis.port, t);
  const [a, b] = [await startBusSide(t, redis.url), await startBusSide(t, proxy.url)];
  const last = recordOf(a.tag, "p", { data: Buffer.from("last") });
  await a.sessions.saveNow(recordOf(a.tag, "p"));
  a.kept.set("p", last);
  proxy.stall(sends("PUBLISH"));
  const taking = b.sessions.take("/", "p");
  await waitFor(async () => (await client.hget("limpet:session:p", "g")) === "2");
  await assert.rejects(a.sessions.saveNow(last), /another node's/);
  await waitFor(() => a.released.length === 1);
  proxy.resume();
  assert.deepEqual(await taking, { record: { ...last, generation: 2 } });
});

test("five hundred sessions of one node are taken with a handful of questions", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  const [a, b] = [await startBusSide(t, redis.url), await startBusSide(t, redis.url)];
  const pids = Array.from({ length: 500 }, (_, i) => `p${i}`);
  for (const pid of pids) a.kept.set(pid, recordOf(a.tag, pid));
  await Promise.all(pids.map((pid) => a.sessions.saveNow(recordOf(a.tag, pid))));
  const before = [await callsOf(client, "publish"), await callsOf(client, "pubsub\\|numsub")];
  const taken = await Promise.all(pids.map((pid) => b.sessions.take("/", pid)));
  assert(taken.every((one) => "record" in one && one.record.generation === 2));
  const after = [await callsOf(client, "publish"), await callsOf(client, "pubsub\\|numsub")];
  const [words = 0, looks = 0] = after.map((calls, i) => calls - (before[i] ?? 0));
  t.diagnostic(`500 sessions: ${words} words between the nodes, ${looks} looks for the owner`);
  assert(words < 100 && looks < 50);
});

test("without Redis nothing is taken, and nobody waits; a pid that nobody knows is unknown", async (t) => {
  const redis = await startRedis(t);
  const b = await startBusSide(t, redis.url);
  assert.deepEqual(await b.sessions.take("/", "nobody"), { failure: "unknown" });
  await redis.kill();
  await waitFor(() => !b.bus.state.up);
  const since = performance.now();
  assert.deepEqual(await b.sessions.take("/", "p"), { failure: "bus_down" });
  assert.equal(await b.sessions.history("/", "0-0"), "bus_down");
  assert(performance.now() - since < 100);
});

test("a Redis that came back empty is told of every session again", async (t) => {
  const redis = await startRedis(t);
  const a = await startBusSide(t, redis.url);
  const pids = ["p", "q", "r"];
  for (const pid of pids) a.kept.set(pid, recordOf(a.tag, pid));
  await a.sessions.saveNow(recordOf(a.tag, "p"));
  await redis.restart({ empty: true });
  const client = redis.client();
  await waitFor(async () => (await client.keys("limpet:session:*")).length === pids.length, { timeoutMs: 15_000 });
  const b = await startBusSide(t, redis.url);
  assert("record" in (await b.sessions.take("/", "r")));
});

test("entries from before a node's start are read in pages, once for all who ask at a time; what is trimmed is said to be", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  const a = await startBusSide(t, redis.url);
  for (let i = 1; i <= 1_300; i++) a.publish(i % 2 === 0 ? "red" : "blue", "n", i);
  await waitFor(() => a.placed.length === 1_300);
  await waitFor(() => isPast(client));
  const b = await startBusSide(t, redis.url);
  const before = await callsOf(client, "xrange");
  const [, first = ""] = a.placed[9] ?? [];
  const [, second = ""] = a.placed[99] ?? [];
  const histories = await Promise.all(
    Array.from({ length: 100 }, (_, i) => b.sessions.history("/", i === 0 ? first : second)),
  );
  assert.deepEqual(
    histories.map((entries) => entries.length),
    [1_290, ...Array.from({ length: 99 }, () => 1_200)],
  );
  const [entries] = histories;
  assert(Array.isArray(entries));
  const list = entries as LogEntry[];
  assert.deepEqual([list[0]?.rooms, list[0]?.origin?.pos, list[0]?.streamId], [["blue"], 11, a.placed[10]?.[1]]);
  assert.equal(list.at(-1)?.origin?.pos, 1_300);
  const reads = (await callsOf(client, "xrange")) - before;
  t.diagnostic(`100 histories of 1,290 entries: ${reads} XRANGE`);
  // Two for each page: one looks whether the page before is still whole.
  assert(reads <= 8, `${reads} XRANGE`);
  assert.deepEqual(await b.sessions.history("/elsewhere", first), []);
  await client.xtrim("socket.io", "MAXLEN", 1_295);
  assert.equal((await b.sessions.history("/", first)).length, 1_290, "it is held here");
  assert.equal(await b.sessions.history("/", "0-1"), "trimmed");
});

test("a stream that was never trimmed is whole, wherever one begins in it", async (t) => {
  const redis = await startRedis(t);
  const a = await startBusSide(t, redis.url);
  for (let i = 1; i <= 10; i++) a.publish("red", "n", i);
  await waitFor(() => a.placed.length === 10);
  await waitFor(() => isPast(redis.client()));
  const b = await startBusSide(t, redis.url);
  assert.equal((await b.sessions.history("/", "0-1")).length, 10);
  const small = await startBusSide(t, redis.url, { maxHistoryBytes: 100 });
  assert.equal(await small.sessions.history("/", "0-1"), "trimmed", "more than may be held");
});
