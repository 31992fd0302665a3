/**
 * Recovery between nodes: whatever has happened to its connection or its node, a client comes back at another node and has its id, rooms and data, and each
 * message exactly once, in order.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { waitFor } from "../support/wait.js";
import type { RawClient } from "./raw-client.js";
import { connected, numbers, said, sessionKeys, startPair, untilSaid, untilSaved, who } from "./pair.js";

test("a client whose connection broke comes back at another node, and at its first one again", async (t) => {
  const { a, b } = await startPair(t);
  const client = await connected(t, a);
  const [atA, atB] = [await connected(t, a, 1), await connected(t, b)];
  await client.call("join", "red");
  await client.call("set", "name", "Ada");
  const { id } = await who(client);
  await atA.call("publish", "red", [0]);
  await untilSaid(client, 1);
  await atB.call("publish", "red", [1]);
  await untilSaid(client, 2);
  client.cut();
  await atA.call("publish", "red", [2, 3]);
  await client.connect({ port: b.port, slot: 1 });
  assert.equal(client.recovered, true);
  await untilSaid(client, 4);
  assert.deepEqual(await who(client), {
    id,
    recovered: true,
    data: { name: "Ada" },
    rooms: ["red", id].toSorted(),
    slot: 1,
  });
  await atB.call("publish", "red", [4]);
  await untilSaid(client, 5);
  await client.call("join", "blue");
  await client.call("set", "year", 1843);
  client.cut();
  await atB.call("publish", "blue", [5]);
  await client.connect({ port: a.port, slot: 1 });
  assert.equal(client.recovered, true);
  await untilSaid(client, 6);
  await atB.call("publish", "blue", [6]);
  await untilSaid(client, 7);
  assert.deepEqual(said(client), numbers(0, 7));
  const now = await who(client);
  assert.deepEqual([now.id, now.data, now.rooms], [id, { name: "Ada", year: 1843 }, ["blue", "red", id].toSorted()]);
  assert.equal(await b.metric("limpet_recoveries_total", { outcome: "recovered" }), 1);
  assert.equal(await a.metric("limpet_recoveries_total", { outcome: "recovered" }), 1);
});

test("a node is killed: its clients come back at another one, and miss nothing of what others have said", async (t) => {
  const { a, b, client: redis } = await startPair(t);
  const atB = await connected(t, b);
  const [quiet, busy] = [await connected(t, a), await connected(t, a, 1)];
  for (const client of [quiet, busy]) await client.call("join", "red");
  await busy.call("set", "name", "Ada");
  await busy.call("checkpoint");
  await atB.call("publish", "red", numbers(0, 5));
  await untilSaid(busy, 5);
  await untilSaid(quiet, 5);
  await untilSaved(redis, quiet, "red");
  await a.kill();
  await atB.call("publish", "red", numbers(5, 10));
  const since = performance.now();
  for (const client of [busy, quiet]) {
    client.cut();
    await client.connect({ port: b.port });
    assert.equal(client.recovered, true);
    await untilSaid(client, 10);
    assert.deepEqual(said(client), numbers(0, 10));
  }
  t.diagnostic(`two clients of a killed node were back after ${Math.round(performance.now() - since)} ms`);
  assert.deepEqual((await who(busy)).data, { name: "Ada" });
  assert.equal(await b.metric("limpet_recoveries_total", { outcome: "recovered" }), 2);
});

test("a node that is stopped hands its clients on, with what was sent to them alone and had not arrived", async (t) => {
  const { a, b } = await startPair(t);
  const client = await connected(t, a);
  const [friend, atB] = [await connected(t, a), await connected(t, b)];
  await client.call("join", "red");
  assert.equal(await friend.call("tell", client.id, "first"), true);
  await client.count(1);
  const left = client.abandon();
  assert.equal(await friend.call("tell", client.id, "second"), true);
  await friend.call("publish", "red", [0]);
  const exit = await a.stop();
  assert.deepEqual(exit, { code: 0, signal: null });
  left.socket.terminate();
  await atB.call("publish", "red", [1]);
  await client.connect({ port: b.port });
  assert.equal(client.recovered, true);
  await client.count(4);
  assert.deepEqual(said(client), [0, 1]);
  assert.deepEqual(
    client.received.filter(([name]) => name === "told").map(([, value]) => value),
    ["first", "second"],
  );
  assert.equal(client.received.length, 4);
});

test("a connection that the first node still believes in is let go there, and never speaks for the session again", async (t) => {
  const { a, b, client: redis } = await startPair(t);
  const client = await connected(t, a);
  const atA = await connected(t, a, 0);
  await client.call("join", "red");
  await client.call("set", "name", "Ada");
  const left = client.abandon();
  await atA.call("publish", "red", [0, 1]);
  assert.equal(await atA.call("tell", client.id, "alone"), true);
  assert(((await atA.call("sockets")) as string[]).includes(client.id ?? ""));
  await client.connect({ port: b.port });
  assert.equal(client.recovered, true);
  await client.count(3);
  assert(!((await atA.call("sockets")) as string[]).includes(client.id ?? ""), "its socket there is gone");
  await atA.call("publish", "red", [2]);
  await untilSaid(client, 3);
  assert.deepEqual(said(client), [0, 1, 2]);
  await client.call("set", "name", "Byron");
  await client.call("checkpoint");
  left.socket.terminate();
  await atA.call("publish", "red", [3]);
  await untilSaid(client, 4);
  client.cut();
  await b.kill();
  await client.connect({ port: a.port });
  assert.deepEqual((await who(client)).data, { name: "Byron" });
  const keys = await sessionKeys(redis);
  assert(keys.includes(`limpet:session:${client.pid}`));
});

test("a node that stands still is not waited for long; what it says late reaches nobody twice", async (t) => {
  const { a, b, client: redis } = await startPair(t);
  const client = await connected(t, a);
  const atA = await connected(t, a, 0);
  const atB = await connected(t, b);
  await client.call("join", "red");
  await atB.call("join", "red");
  await untilSaved(redis, client, "red");
  // From here on what a publishes is delivered there alone.
  a.network.stall();
  await atA.call("publish", "red", [0, 1, 2]);
  await untilSaid(client, 3);
  const left = client.abandon();
  const since = performance.now();
  await client.connect({ port: b.port });
  t.diagnostic(`${Math.round(performance.now() - since)} ms until a client of a node that stands still is back`);
  assert.equal(client.recovered, true);
  await atB.call("publish", "red", [3]);
  await untilSaid(client, 4);
  a.network.resume();
  await untilSaid(atB, 4);
  await atB.call("publish", "red", [4]);
  await untilSaid(client, 5);
  assert.deepEqual(said(client), numbers(0, 5));
  assert.deepEqual(said(atB).toSorted(), numbers(0, 5));
  await waitFor(async () => !((await atA.call("sockets")) as string[]).includes(client.id ?? ""));
  left.socket.terminate();
  // Also not where it is cut before the next one comes.
  client.cut();
  await client.connect({ port: b.port });
  await atB.call("publish", "red", [5]);
  await untilSaid(client, 6);
  assert.deepEqual(said(client), numbers(0, 6));
});

test("what a node that stood still had for its clients alone comes when it goes on: once, in order, wherever they are by then", async (t) => {
  const { a, b, client: redis } = await startPair(t);
  const slots = [0, 1, 1];
  const clients = await Promise.all(slots.map((slot) => connected(t, a, slot)));
  const friends = await Promise.all([0, 1].map((slot) => connected(t, a, slot)));
  const atB = await connected(t, b);
  const [first, second, away] = clients;
  assert.ok(first && second && away);
  for (const client of clients) await client.call("join", "red");
  for (const client of clients) await untilSaved(redis, client, "red");
  const tell = async (from: number, to: number): Promise<void> => {
    for (const n of numbers(from, to))
      for (const [i, { id }] of clients.entries())
        assert.equal(await friends[slots[i] ?? 0]?.call("tell", id, n), true);
  };
  const told = (client: RawClient): unknown[] =>
    client.received.filter(([name]) => name === "told").map(([, value]) => value);
  await tell(0, 3);
  for (const client of clients) await client.count(3);
  const left = clients.map((client) => client.abandon());
  await tell(3, 6);
  process.kill(a.pid, "SIGSTOP");
  try {
    await tell(6, 9);
    await Promise.all(clients.map((client) => client.connect({ port: b.port, slot: 0 })));
    for (const client of clients) assert.equal(client.recovered, true);
    // One has had something there, one is away again.
    assert.equal(await atB.call("tell", first.id, "there"), true);
    away.cut();
  } finally {
    process.kill(a.pid, "SIGCONT");
  }
  await atB.call("publish", "red", ["now"]);
  for (const client of [first, second]) await client.until(() => told(client).length >= 9);
  await away.connect({ port: b.port });
  await away.until(() => told(away).length >= 9);
  for (const socket of left) socket.socket.terminate();
  // Also not when they come back to either of the two.
  await waitFor(async () => (await a.metric("limpet_bus_up")) === 1);
  for (const { port } of [b, a]) {
    for (const client of clients) {
      client.cut();
      await client.connect({ port });
      assert.equal(client.recovered, true);
    }
    await atB.call("publish", "red", [port]);
    for (const client of clients) await client.until(() => said(client).at(-1) === port);
  }
  for (const client of clients) {
    assert.deepEqual(
      told(client).filter((value) => value !== "there"),
      numbers(0, 9),
    );
    assert.deepEqual(said(client), ["now", b.port, a.port]);
  }
});

test("a client that its node has just recovered is released to another one with its last state, before Redis has that", async (t) => {
  const { a, b, client: redis } = await startPair(t);
  const client = await connected(t, a);
  const atA = await connected(t, a, 1);
  await client.call("join", "red");
  for (let turn = 0; turn < 3; turn++) {
    client.cut();
    await client.connect({ port: a.port, slot: turn % 2 });
    assert.equal(client.recovered, true);
  }
  await client.call("join", "blue");
  await atA.call("publish", "blue", [0]);
  await untilSaid(client, 1);
  client.abandon();
  await atA.call("publish", "blue", [1]);
  await client.connect({ port: b.port });
  assert.equal(client.recovered, true);
  await untilSaid(client, 2);
  assert.deepEqual(said(client), [0, 1]);
  assert.deepEqual((await who(client)).rooms, ["blue", "red", client.id].toSorted());
  assert(!((await atA.call("sockets")) as string[]).includes(client.id ?? ""), "its socket there is gone");
  await untilSaved(redis, client, "blue");
  assert.equal(await redis.hget(`limpet:session:${client.pid}`, "g"), "2", "it went to another node once");
});

test("a client that goes to another node the moment it is connected is ahead of its first node's word of it, and is recovered", async (t) => {
  const { a, b } = await startPair(t);
  a.network.delay(50);
  const client = await connected(t, a);
  const { id } = client;
  await client.call("join", "red");
  client.cut();
  await client.connect({ port: b.port });
  assert.equal(client.recovered, true);
  assert.deepEqual((await who(client)).rooms, ["red", id].toSorted());
});
