/** Sessions in Redis: the last state of each, written at most once a second, fenced by generation and owner. */
import assert from "node:assert/strict";
import test from "node:test";
import type { RedisConnection } from "../../src/lib/redis.js";
import { SessionStore, type SessionWrite, type StoreOutcome } from "../../src/bus/session-store.js";
import { RedisScript } from "../../src/bus/redis-script.js";
import { TAKE } from "../../src/bus/session-scripts.js";
import type { Scope } from "../support/children.js";
import { startRedis, type TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";
import { connect } from "./connection.js";

const TTL_MS = 60_000;

interface Side {
  readonly store: SessionStore;
  readonly outcomes: StoreOutcome[];
  readonly refused: [pid: string, generation: number][];
  readonly connection: RedisConnection;
}

async function createSide(scope: Scope, redis: TestRedis, uid: string, maxWaiting = 1_000): Promise<Side> {
  const outcomes: StoreOutcome[] = [];
  const refused: [string, number][] = [];
  const held: { store?: SessionStore } = {};
  const connection = await connect(scope, redis, () => held.store?.wake());
  const store = new SessionStore({
    redis: connection,
    keyPrefix: "limpet:",
    uid,
    maxWaiting,
    onOutcome: (outcome) => outcomes.push(outcome),
    onRefused: (pid, generation) => refused.push([pid, generation]),
    onFailure: () => undefined,
    now: () => performance.now(),
  });
  held.store = store;
  scope.after(() => store.drained(0));
  return { store, outcomes, refused, connection };
}

const saved = (text: string, generation = 1, ttlMs = TTL_MS): SessionWrite => ({
  kind: "save",
  generation,
  nsp: "/",
  encode: () => Buffer.from(text),
  ttlMs,
});

const take = (connection: RedisConnection, uid: string, pid: string, nsp = "/"): Promise<unknown> =>
  new RedisScript(TAKE).run(connection, `limpet:session:${pid}`, uid, nsp, TTL_MS);

test("twenty changes within a second are two commands: what comes first within a moment, the last state at the second's end", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  const { store, outcomes } = await createSide(t, redis, "a");
  const commands: string[] = [];
  const monitor = await client.monitor();
  t.after(() => monitor.disconnect());
  monitor.on("monitor", (_time: string, [name, ...args]: string[], source: string) => {
    // What the script itself runs shows as well, from "lua".
    if (source !== "lua" && args.includes("limpet:session:p")) commands.push(String(name).toUpperCase());
  });
  const startedAt = performance.now();
  for (let i = 1; i <= 10; i++) store.put("p", saved(`state ${i}`));
  await waitFor(async () => (await client.hget("limpet:session:p", "r")) === "state 10");
  for (let i = 11; i <= 20; i++) store.put("p", saved(`state ${i}`));
  assert(performance.now() - startedAt < 900, "the first were written at once");
  await waitFor(async () => (await client.hget("limpet:session:p", "r")) === "state 20");
  assert(performance.now() - startedAt >= 990, "the last was written a second later");
  const writes = (): string[] => commands.filter((name) => name.startsWith("EVAL"));
  await waitFor(() => writes().length >= 3);
  // The very first is said again with the script's text, for this server had not seen it.
  assert.deepEqual(writes(), ["EVALSHA", "EVAL", "EVALSHA"]);
  assert.deepEqual(outcomes, ["written", "written"]);
  const ttl = await client.pttl("limpet:session:p");
  assert(ttl > TTL_MS - 5_000 && ttl <= TTL_MS, `it expires by itself, in ${ttl} ms`);
});

test("what a former owner still writes of a session is refused, and leaves no trace", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  const [a, b] = [await createSide(t, redis, "a"), await createSide(t, redis, "b")];
  await a.store.putNow("p", saved("by a"));
  const [kind, generation, owner, record] = (await take(b.connection, "b", "p")) as [Buffer, number, Buffer, Buffer];
  assert.deepEqual([String(kind), generation, String(owner), String(record)], ["taken", 2, "a", "by a"]);
  await assert.rejects(a.store.putNow("p", saved("late, by a")), /another node's/);
  assert.deepEqual(a.refused, [["p", 1]]);
  assert.deepEqual(a.outcomes, ["written", "refused"]);
  await assert.rejects(a.store.putNow("p", saved("of the same generation, by a", 2)), /another node's/);
  await a.store.putNow("p", { kind: "end", rememberMs: TTL_MS });
  assert.deepEqual(await client.hgetall("limpet:session:p"), { g: "2", o: "b", n: "/", r: "by a" });
  await b.store.putNow("p", saved("by b", 2));
  assert.equal(await client.hget("limpet:session:p", "r"), "by b");
});

test("of a session that ended after it was taken over, that is remembered: a late write does not bring it back", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  const [a, b] = [await createSide(t, redis, "a"), await createSide(t, redis, "b")];
  await a.store.putNow("p", saved("by a"));
  await take(b.connection, "b", "p");
  await b.store.putNow("p", { kind: "end", rememberMs: TTL_MS });
  await assert.rejects(a.store.putNow("p", saved("late")), /another node's/);
  assert.deepEqual(((await take(a.connection, "a", "p")) as Buffer[]).map(String), ["unknown"]);
  const ttl = await client.pttl("limpet:session:p");
  assert(ttl > 0 && ttl <= TTL_MS, `that is forgotten in ${ttl} ms`);
  // One that never moved leaves nothing.
  await a.store.putNow("q", saved("by a"));
  await a.store.putNow("q", { kind: "end", rememberMs: TTL_MS });
  assert.equal(await client.exists("limpet:session:q"), 0);
});

test("a session is given out in its own namespace only, and not at all once it has expired", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  const { store, connection } = await createSide(t, redis, "a");
  await store.putNow("p", saved("by a", 1, 300));
  assert.deepEqual(((await take(connection, "b", "p", "/other")) as Buffer[]).map(String), ["namespace"]);
  assert.equal(await client.hget("limpet:session:p", "g"), "1");
  await store.putNow("p", { kind: "touch", ttlMs: 600 });
  assert(await waitFor(async () => (await client.exists("limpet:session:p")) === 0, { timeoutMs: 5_000 }));
  assert.deepEqual(((await take(connection, "b", "p")) as Buffer[]).map(String), ["unknown"]);
});

test("while Redis is away the last state of each waits; it is written when Redis is back, even where that knows nothing any more", async (t) => {
  const redis = await startRedis(t);
  const { store, outcomes, connection } = await createSide(t, redis, "a", 3);
  await store.putNow("p", saved("before"));
  await redis.kill();
  await waitFor(() => !connection.ready);
  await assert.rejects(store.putNow("p", saved("at once")), /cannot be reached/);
  for (let i = 0; i < 5; i++) store.put("p", saved(`state ${i}`));
  assert.equal(store.put("q", saved("q")), true);
  assert.equal(store.put("r", saved("r")), true);
  assert.equal(store.put("s", saved("one too many")), false);
  assert.deepEqual(outcomes, ["written", "dropped"]);
  await redis.start();
  const client = redis.client();
  await waitFor(async () => (await client.hget("limpet:session:p", "r")) === "state 4");
  await waitFor(async () => (await client.keys("limpet:session:*")).length === 3);
  assert.deepEqual(outcomes, ["written", "dropped", "written", "written", "written"]);
  assert.equal(store.size, 0);
});

test("a record that cannot be encoded is dropped and counted, and others go on", async (t) => {
  const redis = await startRedis(t);
  const { store, outcomes } = await createSide(t, redis, "a");
  const broken: SessionWrite = {
    ...(saved("") as Extract<SessionWrite, { kind: "save" }>),
    encode: () => {
      throw new Error("no such thing");
    },
  };
  await assert.rejects(store.putNow("p", broken), /cannot be encoded/);
  await store.putNow("q", saved("q"));
  assert.deepEqual(outcomes, ["dropped", "written"]);
});

test("a node that stops writes at once what waits for its second", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  const { store } = await createSide(t, redis, "a");
  for (let i = 0; i < 500; i++) store.put(`p${i}`, saved("first"));
  for (let i = 0; i < 500; i++) store.put(`p${i}`, saved("last"));
  await store.drained(5_000);
  const states = await Promise.all(Array.from({ length: 500 }, (_, i) => client.hget(`limpet:session:p${i}`, "r")));
  assert.deepEqual(new Set(states), new Set(["last"]));
});
