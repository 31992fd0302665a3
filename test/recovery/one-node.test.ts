/**
 * Recovery on one node of two workers: the client comes back after whatever has happened to its connection or its worker, and has its id, rooms and data,
 * and each message exactly once, in order.
 */
import assert from "node:assert/strict";
import test, { before, after, type TestContext } from "node:test";
import { pidOf } from "../metrics/clients.js";
import { startNode, type NodeOptions, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { RawClient } from "./raw-client.js";

export const APP = "test/recovery/app.ts";
const OPTIONS: NodeOptions = { app: APP, workers: 2, args: ["--recovery"] };

interface Who {
  readonly id: string;
  readonly recovered: boolean;
  readonly data: unknown;
  readonly rooms: readonly string[];
  readonly slot: number;
}

let node: TestNode;
before(async () => {
  node = await startNode(OPTIONS);
});
after(() => node.kill());

async function connected(t: TestContext, slot: number, on = node, nsp = "/"): Promise<RawClient> {
  const client = new RawClient(t, { port: on.port, nsp });
  await client.connect({ slot });
  return client;
}

const who = async (client: RawClient): Promise<Who> => (await client.call("who")) as Who;
const said = (client: RawClient): unknown[] =>
  client.received.filter(([name]) => name === "said").map(([, , value]) => value);
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

for (const slot of [0, 1]) {
  const where = slot === 0 ? "the same worker" : "another worker";
  test(`a client whose connection broke comes back on ${where} with its id, rooms, data, and what it missed`, async (t) => {
    const client = await connected(t, 0);
    const publisher = await connected(t, 1);
    await client.call("join", "a");
    await client.call("set", "name", "Ada");
    await client.call("set", "when", { year: 1843 });
    const { id } = await who(client);
    await publisher.call("publish", "a", [0, 1]);
    await client.count(2);
    client.cut();
    await publisher.call("publish", "a", [2, 3]);
    await publisher.call("publish to all", 4);
    await client.connect({ slot });
    assert.equal(client.recovered, true);
    await client.count(5);
    await publisher.call("publish", "a", [5]);
    await client.count(6);
    assert.deepEqual(said(client), numbers(0, 6));
    assert.deepEqual(await who(client), {
      id,
      recovered: true,
      data: { name: "Ada", when: { year: 1843 } },
      rooms: ["a", id].toSorted(),
      slot,
    });
    assert.equal(publisher.received.length, 1, "the publisher was told what is for all, and no more");
  });
}

test("a client that has received nothing yet is recovered all the same", async (t) => {
  const client = await connected(t, 0);
  const publisher = await connected(t, 1);
  await client.call("join", "quiet");
  assert.equal(client.offset, undefined);
  client.cut();
  await publisher.call("publish", "quiet", numbers(0, 3));
  await client.connect({ slot: 1 });
  assert.equal(client.recovered, true);
  await client.count(3);
  assert.deepEqual(said(client), numbers(0, 3));
});

test("messages from before a join are not given to a client that comes back, nor those of a room it has left", async (t) => {
  const client = await connected(t, 0);
  const publisher = await connected(t, 1);
  await publisher.call("publish", "late", ["before"]);
  await publisher.call("publish", "left", ["before"]);
  await client.call("join", "late");
  await client.call("join", "left");
  await client.call("leave", "left");
  client.cut();
  await publisher.call("publish", "late", ["after"]);
  await publisher.call("publish", "left", ["after"]);
  await publisher.call("publish except", "late", client.id, "not for it");
  await client.connect({ slot: 1 });
  await publisher.call("publish", "late", ["live"]);
  await client.count(2);
  assert.deepEqual(said(client), ["after", "live"]);
});

test("a worker is killed: its clients come back on another, with all that was said to them alone", async (t) => {
  const own = await startNode(OPTIONS, t);
  const client = await connected(t, 0, own);
  const publisher = await connected(t, 1, own);
  const friend = await connected(t, 0, own);
  await client.call("join", "a");
  await client.call("set", "name", "Ada");
  await client.call("checkpoint");
  await publisher.call("publish", "a", [0]);
  await client.count(1);
  const left = client.abandon();
  await friend.call("publish", "a", [1]);
  assert.equal(await friend.call("tell", client.id, "unicast"), true);
  process.kill(await pidOf(own, 0), "SIGKILL");
  await waitFor(() => friend.session.closed);
  await publisher.call("publish", "a", [2]);
  await client.connect();
  assert.equal(client.recovered, true);
  await client.count(4);
  assert.deepEqual(client.received, [
    ["said", "a", 0],
    ["said", "a", 1],
    ["told", "unicast"],
    ["said", "a", 2],
  ]);
  assert.deepEqual((await who(client)).data, { name: "Ada" });
  left.socket.terminate();
});

for (const slot of [0, 1]) {
  const where = slot === 0 ? "it comes back to the same worker" : "it comes to another worker";
  test(`the server has not noticed that the connection is lost, and ${where}: the old socket is gone without a trace`, async (t) => {
    const client = await connected(t, 0);
    const publisher = await connected(t, 1);
    const neighbour = await connected(t, 0);
    await client.call("join", "half");
    await client.call("set", "turn", 1);
    const old = client.abandon();
    await publisher.call("publish", "half", numbers(0, 3));
    await client.connect({ slot });
    assert.equal(client.recovered, true);
    await client.count(3);
    const held = ((await neighbour.call("sockets")) as string[]).filter((id) => id === client.id);
    assert.equal(held.length, slot === 0 ? 1 : 0, "the old worker has let go");
    await client.call("set", "turn", 2);
    await client.call("checkpoint");
    // The old connection comes to life once more, and ends.
    old.socket.resume();
    if (!old.closed) old.send('42["end"]');
    await waitFor(() => old.closed);
    await publisher.call("publish", "half", [3]);
    await client.count(4);
    client.cut();
    await client.connect();
    assert.equal(client.recovered, true);
    assert.deepEqual((await who(client)).data, { turn: 2 });
    assert.deepEqual(said(client), numbers(0, 4));
  });
}

test("what a worker that stood still says afterwards of a session that went elsewhere is refused and counted", async (t) => {
  const own = await startNode(OPTIONS, t);
  const client = await connected(t, 0, own);
  const publisher = await connected(t, 1, own);
  // Newcomers go to the worker with fewer.
  for (let i = 0; i < 5; i++) await connected(t, 0, own);
  await client.call("join", "a");
  await client.call("set", "turn", 1);
  await client.call("checkpoint");
  client.emit("stand still", 2_000);
  const old = client.abandon();
  await publisher.call("publish", "a", [0]);
  await client.connect({ slot: 1 });
  assert.equal(client.recovered, true);
  await client.call("set", "turn", 2);
  await client.call("checkpoint");
  assert.equal(await own.metric("limpet_recovery_refused_total"), 0);
  await waitFor(async () => (await own.metric("limpet_recovery_refused_total", { reason: "late" })) > 0);
  await client.count(1);
  client.cut();
  await client.connect({ slot: 1 });
  assert.equal(client.recovered, true);
  const { data, rooms } = await who(client);
  assert.deepEqual(data, { turn: 2 });
  assert.ok(!rooms.includes("stale"));
  assert.deepEqual(said(client), [0]);
  old.socket.terminate();
});

test("volatile and local messages are not given later, and a string in them never becomes an offset", async (t) => {
  const client = await connected(t, 0);
  const publisher = await connected(t, 1);
  const neighbour = await connected(t, 0);
  await client.call("join", "v");
  await publisher.call("publish volatile", "v", "a string");
  await client.count(1);
  await neighbour.call("publish locally", "v", "another string");
  await client.count(2);
  client.cut();
  await publisher.call("publish volatile", "v", "lost");
  await neighbour.call("publish locally", "v", "lost too");
  await publisher.call("publish", "v", ["kept"]);
  await client.connect({ slot: 1 });
  assert.equal(client.recovered, true);
  await client.count(3);
  await publisher.call("publish", "v", ["live"]);
  await client.count(4);
  assert.deepEqual(said(client), ["a string", "another string", "kept", "live"]);
});

test("a session is spoken to by its id while its client is away", async (t) => {
  const client = await connected(t, 0);
  const publisher = await connected(t, 1);
  const { id } = client;
  client.cut();
  await publisher.call("publish", id, numbers(0, 3));
  await client.connect({ slot: 0 });
  await client.count(3);
  assert.deepEqual(said(client), numbers(0, 3));
});

test("binary is given later as it was sent", async (t) => {
  const client = await connected(t, 0);
  const publisher = await connected(t, 1);
  await client.call("join", "bin");
  client.cut();
  // From a worker's own code, over JSON: the client cannot send binary here.
  await publisher.call("publish", "bin", [{ nested: [1, 2] }]);
  await publisher.call("publish buffer", "bin", 1_000);
  await client.connect({ slot: 1 });
  await client.count(2);
  assert.deepEqual(client.received[0], ["said", "bin", { nested: [1, 2] }]);
  assert.deepEqual(client.received[1], ["said", "bin", Buffer.alloc(1_000, "x")]);
  client.cut();
  await client.connect({ slot: 0 });
  await publisher.call("publish", "bin", ["done"]);
  await client.count(3);
});

test("a session that ended by the server's word, or one of another namespace, or none at all, starts anew", async (t) => {
  const ended = await connected(t, 0);
  ended.emit("end");
  await ended.until(() => ended.ended);
  const { pid, id } = ended;
  ended.cut();
  await ended.connect();
  assert.equal(ended.recovered, false);
  assert.notEqual(ended.pid, pid);
  assert.notEqual(ended.id, id);
  const elsewhere = new RawClient(t, { port: node.port, nsp: "/other" });
  elsewhere.pid = ended.pid;
  await elsewhere.connect();
  assert.equal(elsewhere.recovered, false);
  const stranger = new RawClient(t, { port: node.port });
  stranger.pid = "nobody's";
  stranger.offset = "x";
  await stranger.connect();
  assert.equal(stranger.recovered, false);
  assert.ok(stranger.pid !== "nobody's");
  const loud = new RawClient(t, { port: node.port });
  loud.pid = "p".repeat(400_000);
  loud.offset = "o".repeat(400_000);
  await loud.connect();
  assert.equal(loud.recovered, false);
  assert.ok(loud.pid.length < 100);
});

test("whoever comes back after the time is over starts anew, and so does one whose messages are not kept any more", async (t) => {
  const own = await startNode(
    {
      ...OPTIONS,
      env: {
        LIMPET_SOCKETIO_CONNECTION_STATE_RECOVERY: JSON.stringify({ maxDisconnectionDuration: 3_000 }),
        LIMPET_RECOVERY_MAX_LOG_BYTES: "100000",
      },
    },
    t,
  );
  const outcome = (name: string): Promise<number> => own.metric("limpet_recoveries_total", { outcome: name });
  const late = await connected(t, 0, own);
  const trimmed = await connected(t, 0, own);
  const publisher = await connected(t, 1, own);
  await trimmed.call("join", "a");
  late.cut();
  await waitFor(async () => (await own.metric("limpet_recovery_sessions", { state: "away" })) === 1);
  await waitFor(async () => (await own.metric("limpet_recovery_sessions", { state: "away" })) === 0);
  await late.connect();
  assert.equal(late.recovered, false);
  assert.equal(await outcome("expired"), 1);
  for (let i = 0; i < 300; i++) await publisher.call("publish", "b", ["x".repeat(500)]);
  trimmed.cut();
  await trimmed.connect();
  assert.equal(trimmed.recovered, false);
  assert.equal(await outcome("trimmed"), 1);
  assert.ok((await own.metric("limpet_recovery_log_bytes")) <= 100_000);
});

test("the workers are replaced by a reload: their clients come back to the new ones", async (t) => {
  const own = await startNode(OPTIONS, t);
  const clients = await Promise.all([0, 1, 0, 1].map((slot) => connected(t, slot, own)));
  for (const [at, client] of clients.entries()) {
    await client.call("join", "all of them");
    await client.call("set", "at", at);
  }
  own.signal("SIGHUP");
  await waitFor(() => clients.every(({ session }) => session.closed), { timeoutMs: 30_000 });
  for (const client of clients) await client.connect();
  assert.deepEqual(
    clients.map(({ recovered }) => recovered),
    [true, true, true, true],
  );
  await clients[0]?.call("publish", "all of them", [1]);
  for (const [at, client] of clients.entries()) {
    await client.count(1);
    const { data, slot } = await who(client);
    assert.deepEqual(data, { at });
    assert.ok(slot >= 2, "a new worker");
  }
});

test("a client of quiet rooms is recovered although what it received last is long gone from the log: its pongs have spoken for it", async (t) => {
  const env = {
    LIMPET_SOCKETIO_PING_INTERVAL: "300",
    LIMPET_SOCKETIO_PING_TIMEOUT: "5000",
    LIMPET_RECOVERY_MAX_LOG_BYTES: "100000",
  };
  const own = await startNode({ ...OPTIONS, env }, t);
  const client = await connected(t, 0, own);
  const publisher = await connected(t, 1, own);
  await client.call("join", "quiet");
  await publisher.call("publish", "quiet", [0]);
  await client.count(1);
  await publisher.call(
    "publish",
    "busy",
    numbers(0, 400).map(() => "x".repeat(100)),
  );
  assert.ok((await own.metric("limpet_recovery_log_entries")) < 300, "the log has forgotten the first message");
  // Where the log stands is told once a second, and signs of life are reported once a second.
  const { pings } = client;
  await client.until(() => client.pings >= pings + 10);
  client.cut();
  await publisher.call("publish", "quiet", [1]);
  await client.connect({ slot: 1 });
  assert.equal(client.recovered, true);
  await client.count(2);
  assert.deepEqual(said(client), [0, 1]);
});

test("a client that was away while 12,000 messages were said gets them all, and is not cut off as one that does not read", async (t) => {
  const client = await connected(t, 0);
  const publisher = await connected(t, 1);
  await client.call("join", "many");
  client.cut();
  // More than may wait for a client otherwise.
  const padding = "x".repeat(450);
  for (let n = 0; n < 12_000; n += 1_000)
    await publisher.call(
      "publish",
      "many",
      numbers(n, n + 1_000).map((value) => ({ value, padding })),
    );
  await client.connect({ slot: 1 });
  assert.equal(client.recovered, true);
  await client.count(12_000);
  await publisher.call("publish", "many", [{ value: 12_000 }]);
  await client.count(12_001);
  assert.deepEqual(
    said(client).map((one) => (one as { value: number }).value),
    numbers(0, 12_001),
  );
});
