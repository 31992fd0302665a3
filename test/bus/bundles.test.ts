/** Messages that share an entry of the stream: between limpet nodes as long as nobody else reads it, and not one lost to a stock server that comes, or loses its subscriptions. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { before, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect, fileScope, join, type Member } from "../hub/fleet.js";
import { joined, startStockServer } from "../support/stock-server.js";
import { waitFor } from "../support/wait.js";
import { entriesAdded, startNodes, STREAM, type Nodes } from "./fleet.js";

const PLAIN_KEY = "limpet:{socket.io}:plain";
/** So long nodes take account of a stock server that they have seen. */
const RETENTION_MS = 2_000;
/** So many that what leaves together is more than one. */
const PER_SECOND = 400;

const scope = fileScope();
let fleet: Nodes;
/** On the first node, and on the second. */
let a: Member, b: Member;
before(async () => {
  fleet = await startNodes(scope, { env: { LIMPET_BUS_RETENTION_MS: String(RETENTION_MS) } });
  [a, , b] = fleet.members as [Member, Member, Member];
});

interface Traffic {
  /** Numbers that this member has heard of it. */
  heard(member: Member): number[];
  /** @returns how many were said */
  stop(): Promise<number>;
}

/** Has a node, the first unless told, say numbers from 0 on to a room of its own, which these members join first. */
async function startTraffic(
  t: TestContext,
  members: readonly Member[],
  from = a,
): Promise<Traffic & { readonly room: string }> {
  const room = randomUUID();
  await join(room, ...members);
  await from.run(
    ({ io, socket }, to, perSecond) => {
      let n = 0;
      const startedAt = performance.now();
      const timer = setInterval(() => {
        const due = ((performance.now() - startedAt) / 1_000) * perSecond;
        while (n < due) io.to(to).emit("number", to, n++);
      }, 2);
      socket.once("stop", (answer: (said: number) => void) => {
        clearInterval(timer);
        answer(n);
      });
    },
    room,
    PER_SECOND,
  );
  let said: number | undefined;
  const stop = async (): Promise<number> => (said ??= (await from.client.timeout(5_000).emitWithAck("stop")) as number);
  t.after(stop);
  const heard = ({ received }: Member): number[] =>
    received.filter(([event, of]) => event === "number" && of === room).map(([, , number]) => number as number);
  return { room, heard, stop };
}

/** So many numbers more than there are now. */
const more = (traffic: Traffic, member: Member, count = PER_SECOND): Promise<unknown> => {
  const from = traffic.heard(member).length;
  return waitFor(() => traffic.heard(member).length >= from + count);
};

/** Ends the traffic: from the first that each has heard on, each has heard every one, in order, once. */
async function assertWhole(traffic: Traffic, ...members: readonly Member[]): Promise<void> {
  const said = await traffic.stop();
  for (const member of members) {
    await waitFor(() => traffic.heard(member).at(-1) === said - 1, { message: "the last number" });
    const heard = traffic.heard(member);
    const [first = 0] = heard;
    assert.deepEqual(
      heard,
      Array.from({ length: said - first }, (_, i) => first + i),
    );
  }
}

/** Of the last so many entries, how many hold several messages. */
async function bundlesOf(last: number): Promise<number> {
  const entries = await fleet.client.xrevrange(STREAM, "+", "-", "COUNT", last);
  return entries.filter(([, fields]) => fields.includes("b")).length;
}

/** While traffic flows: until nobody counts as a stock server any more. */
const untilBundles = (): Promise<unknown> =>
  waitFor(async () => (await bundlesOf(10)) > 5, { message: "messages that share entries" });

const isPlain = async (): Promise<boolean> => (await fleet.client.exists(PLAIN_KEY)) === 1;

test("messages that leave together share entries, and come whole and in order", async (t) => {
  const traffic = await startTraffic(t, [b]);
  await untilBundles();
  const addedBefore = await entriesAdded(fleet.client);
  const heardBefore = traffic.heard(b).length;
  await more(traffic, b, 3 * PER_SECOND);
  await assertWhole(traffic, b);
  const said = (await traffic.stop()) - heardBefore;
  const added = (await entriesAdded(fleet.client)) - addedBefore;
  t.diagnostic(`${said} messages in ${added} entries`);
  assert.ok(added < said / 2, `${added} entries`);
  assert.equal(await isPlain(), false);
});

test("text of any kind and binary come out of them as they went in", async () => {
  const kinds = (): unknown[] => [
    "é🐚\u2028\n",
    "",
    null,
    { deep: [Buffer.from([0, 255])] },
    Buffer.alloc(0),
    "x".repeat(9_000),
    1e300,
  ];
  const count = 30;
  await join("kinds", b);
  await a.run(
    ({ io }, text, times) => {
      const values = (0, eval)(`(${text})()`) as unknown[];
      for (let i = 0; i < times; i++) for (const value of values) io.to("kinds").emit("kind", value);
    },
    kinds.toString(),
    count,
  );
  const expected = Array.from({ length: count }, kinds).flat();
  const heard = (): unknown[] => b.received.filter(([event]) => event === "kind").map(([, value]) => value);
  await waitFor(() => heard().length === expected.length);
  assert.deepEqual(heard(), expected);
  assert.ok((await bundlesOf(50)) > 0);
});

for (const useShardedPubSub of [false, true])
  test(`a stock server that comes hears everything from its first message on (sharded pub/sub: ${useShardedPubSub})`, async (t) => {
    const traffic = await startTraffic(t, [b]);
    await untilBundles();
    const id = useShardedPubSub ? 9 : 8;
    const adapter = { useShardedPubSub };
    const { url } = await startStockServer(t, {
      app: "test/hub/app.mjs",
      id,
      redis: { port: fleet.redis.port },
      adapter,
    });
    if (!useShardedPubSub) await joined(fleet.client, id);
    const s = await connect(t, url);
    await join(traffic.room, s);
    await more(traffic, s);
    assert.equal(await bundlesOf(20), 0);
    await assertWhole(traffic, b, s);
    assert.equal(await isPlain(), true);
  });

test("a stock server that loses its subscriptions, again and again, misses nothing, nor where Redis has lost what nodes wrote of it", async (t) => {
  // Nodes that remember a stock server for as long as they do by default.
  const { members, client, redis } = await startNodes(t);
  const [from, , to] = members as [Member, Member, Member];
  const { url } = await startStockServer(t, { app: "test/hub/app.mjs", id: 7, redis: { port: redis.port } });
  await joined(client, 7);
  const s = await connect(t, url);
  const traffic = await startTraffic(t, [to, s], from);
  await waitFor(async () => (await client.exists(PLAIN_KEY)) === 1);
  for (let round = 0; round < 6; round++) {
    await more(traffic, s, PER_SECOND / 4);
    // Together, and with the subscriptions of the nodes.
    await client.multi().del(PLAIN_KEY).call("CLIENT", "KILL", "TYPE", "pubsub").exec();
    for (let cut = 0; cut < 20; cut++) {
      await client.call("CLIENT", "KILL", "TYPE", "pubsub");
      await delay(10);
    }
  }
  await more(traffic, s);
  await assertWhole(traffic, to, s);
});

test("what a server with an older adapter writes, which subscribes to nothing, keeps entries plain for the retention", async (t) => {
  const traffic = await startTraffic(t, [b]);
  await untilBundles();
  // Its greeting; and while it publishes it sends no heartbeat.
  const opts = { rooms: ["nobody"], except: [], flags: {} };
  const data = JSON.stringify({ packet: { type: 2, data: ["hello"], nsp: "/" }, opts });
  for (const said of [
    ["type", "1"],
    ["type", "3", "data", data],
  ]) {
    await fleet.client.xadd(STREAM, "*", "uid", "older", "nsp", "/", ...said);
    await waitFor(isPlain);
    await more(traffic, b, PER_SECOND / 2);
    assert.equal(await bundlesOf(20), 0);
    await untilBundles();
  }
  await assertWhole(traffic, b);
});

test("a message that cannot be read does not take the rest of its entry with it", async () => {
  const node = fleet.nodes[1];
  assert.ok(node);
  const skippedBefore = await node.metric("limpet_bus_skipped_total");
  let n = 0;
  const message = (data: string, header: object = {}): string => {
    const l = JSON.stringify({ n: ++n, ...header });
    return `3 ${Buffer.byteLength(l)} ${Buffer.byteLength(data)}\n${l}${data}`;
  };
  const hello = (value: number): string =>
    message(JSON.stringify({ packet: { type: 2, data: ["hello", value], nsp: "/" }, opts: { rooms: [], except: [] } }));
  const messages = [
    hello(1),
    message("{}", { r: "no list" }),
    hello(2),
    message("{", { e: [1, [], {}] }),
    hello(3),
    "3 7",
  ].join("");
  await fleet.client.xadd(STREAM, "*", "uid", "stranger", "s", "/", "b", messages, "l", `{"n":${n}}`);
  const hellos = (): unknown[] => b.received.filter(([event]) => event === "hello").map(([, value]) => value);
  await waitFor(() => hellos().length === 3);
  assert.deepEqual(hellos(), [1, 2, 3]);
  await waitFor(async () => (await node.metric("limpet_bus_skipped_total")) === skippedBefore + 3);
});

test("where it is off, or a node keeps what clients have missed, each message is an entry", async (t) => {
  for (const env of [{ LIMPET_BUS_BUNDLES: "false" }, { LIMPET_RECOVERY: "true" }]) {
    const nodes = await startNodes(t, { env });
    const [from, , to] = nodes.members as [Member, Member, Member];
    await join("room", to);
    const said = 300;
    await from.run(({ io }, count) => {
      for (let i = 0; i < count; i++) io.to("room").emit("number", i);
    }, said);
    await waitFor(() => to.received.length === said);
    const entries = await nodes.client.xrange(STREAM, "-", "+");
    assert.ok(entries.length >= said);
    assert.ok(entries.every(([, fields]) => !fields.includes("b")));
  }
});
