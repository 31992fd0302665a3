/** Recovery between nodes while Redis is away, after it came back empty, and what it costs Redis. */
import assert from "node:assert/strict";
import test from "node:test";
import { entriesAdded } from "../bus/fleet.js";
import type { TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { callsOf, connected, numbers, said, sessionKeys, startPair, untilSaid, untilSaved } from "./pair.js";

const recoveries = (node: TestNode, outcome: string): Promise<number> =>
  node.metric("limpet_recoveries_total", { outcome });

async function untilBus(up: 0 | 1, ...nodes: TestNode[]): Promise<void> {
  const states = async (): Promise<number[]> => Promise.all(nodes.map((node) => node.metric("limpet_bus_up")));
  const message = (): string => `limpet_bus_up to be ${up}`;
  await waitFor(async () => (await states()).every((state) => state === up), { timeoutMs: 20_000, message });
}

test("without Redis a client starts anew at another node, and is recovered at its own one; no process ends", async (t) => {
  const { redis, a, b } = await startPair(t);
  const [client, other] = [await connected(t, a), await connected(t, a)];
  const atA = await connected(t, a, 1);
  for (const one of [client, other]) await one.call("join", "red");
  await redis.kill();
  await untilBus(0, a, b);
  client.cut();
  other.cut();
  await atA.call("publish", "red", [0, 1]);
  await client.connect({ port: a.port, slot: 1 });
  assert.equal(client.recovered, true, "this needs no Redis");
  await untilSaid(client, 2);
  const since = performance.now();
  await other.connect({ port: b.port });
  assert.equal(other.recovered, false);
  const elapsedMs = performance.now() - since;
  assert(elapsedMs < 1_000, `it starts anew at once: ${elapsedMs} ms`);
  assert.equal(await recoveries(b, "bus_down"), 1);
  await atA.call("publish", "red", [2]);
  await untilSaid(client, 3);

  await redis.start();
  await untilBus(1, a, b);
  // Redis came back empty: each node tells it again what it keeps.
  await untilSaved(redis.client(), client, "red");
  client.cut();
  await atA.call("publish", "red", [3]);
  await client.connect({ port: b.port });
  assert.equal(client.recovered, true);
  await untilSaid(client, 4);
  assert.deepEqual(said(client), numbers(0, 4));
  for (const node of [a, b]) assert.equal(node.logs().filter(({ level }) => level === "fatal").length, 0);
});

test("Redis goes away in the middle of a recovery: that has an outcome, and nothing hangs", async (t) => {
  const { redis, a, b } = await startPair(t);
  const client = await connected(t, a);
  await client.call("join", "red");
  await untilSaved(redis.client(), client, "red");
  client.abandon().socket.terminate();
  // The commands are on their way, and nobody answers.
  b.network.stall();
  const connecting = client.connect({ port: b.port });
  await redis.kill();
  b.network.cut();
  await connecting;
  assert.equal(client.recovered, false);
  assert.equal(await recoveries(b, "bus_down"), 1);
  await client.call("join", "red");
  const atB = await connected(t, b, 1);
  await atB.call("publish", "red", [0]);
  await untilSaid(client, 1);
  b.network.heal();
  await redis.start();
  await untilBus(1, a, b);
});

test("a session's key expires when the client has been away for long enough, and goes at once where it is over", async (t) => {
  const env = { LIMPET_SOCKETIO_CONNECTION_STATE_RECOVERY: '{"maxDisconnectionDuration":1500}' };
  const { client: redis, a, b } = await startPair(t, { env });
  const [client, over] = [await connected(t, a), await connected(t, a)];
  await waitFor(async () => (await sessionKeys(redis)).length === 2);
  over.emit("end");
  await waitFor(async () => (await sessionKeys(redis)).length === 1);
  const key = `limpet:session:${client.pid}`;
  assert((await redis.pttl(key)) > 60_000, "connected sessions are kept for as long as their node may be silent");
  client.cut();
  await waitFor(async () => (await redis.pttl(key)) <= 1_500);
  await waitFor(async () => (await redis.exists(key)) === 0, { timeoutMs: 5_000 });
  await client.connect({ port: b.port });
  assert.equal(client.recovered, false);
  assert.equal(await recoveries(b, "unknown"), 1);
  over.cut();
  await over.connect({ port: b.port });
  assert.equal(over.recovered, false);
});

test("what it costs Redis: nothing for what is sent to one client, one XADD for a broadcast, one write a session and second", async (t) => {
  const { client: redis, a, b } = await startPair(t);
  const [client, friend] = [await connected(t, a), await connected(t, a)];
  const atB = await connected(t, b);
  await client.call("join", "red");
  await atB.call("join", "red");
  await untilSaved(redis, client, "red");
  await untilSaved(redis, atB, "red");

  const writes = (): Promise<number> => callsOf(redis, "evalsha");
  const before = { added: await entriesAdded(redis), xadd: await callsOf(redis, "xadd") };
  for (let i = 0; i < 50; i++) assert.equal(await friend.call("tell", client.id, i), true);
  await client.count(50);
  assert.equal(await entriesAdded(redis), before.added, "unicasts reach no stream");
  await friend.call("publish", "red", numbers(0, 20));
  await untilSaid(atB, 20);
  assert.equal((await entriesAdded(redis)) - before.added, 20);
  assert.equal((await callsOf(redis, "xadd")) - before.xadd, 20);

  const since = performance.now();
  const written = await writes();
  for (let i = 0; performance.now() - since < 3_000; i++) {
    await client.call(i % 2 === 0 ? "join" : "leave", "blue");
    await client.call("set", "turn", i);
  }
  const seconds = (performance.now() - since) / 1_000;
  const cost = (await writes()) - written;
  t.diagnostic(`a session that changed all the time for ${seconds.toFixed(1)} s: ${cost} writes`);
  assert(cost >= 2 && cost <= Math.ceil(seconds) + 1, `${cost} writes in ${seconds} s`);
  // What counts is the end.
  await client.call("join", "last");
  await untilSaved(redis, client, "last");
});
