/** Stock servers of the tests speak with each other over Redis, and hear the emitter's entries. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { connect, join } from "../hub/fleet.js";
import { startRedis } from "./redis.js";
import { emitterEntry, joined, startStockServer } from "./stock-server.js";
import { waitFor } from "./wait.js";

async function twoServers(t: TestContext) {
  const redis = await startRedis(t);
  const start = (id: number) =>
    startStockServer(t, {
      app: "test/hub/app.mjs",
      id,
      redis: { port: redis.port },
      adapter: { heartbeatInterval: 500 },
    });
  const servers = [await start(1), await start(2)] as const;
  const client = redis.client();
  await joined(client, 1, 2);
  const members = [await connect(t, servers[0].url), await connect(t, servers[1].url)] as const;
  return { client, servers, members };
}

test("they exchange messages, requests and answers", async (t) => {
  const { members } = await twoServers(t);
  const [a, b] = members;
  assert.deepEqual([a.worker, b.worker], [100, 200]);
  await join("room", b);
  await a.run(({ io }) => void io.to("room").emit("hello", Buffer.from([1, 2])));
  await waitFor(() => b.received.length > 0);
  assert.deepEqual(b.received, [["hello", Buffer.from([1, 2])]]);
  assert.deepEqual(a.received, []);

  const found = await a.run(async ({ io }) => (await io.fetchSockets()).map(({ id }) => id));
  assert.deepEqual(new Set(found), new Set([a.id, b.id]));
  const answers = await a.run(({ io }) => io.timeout(5000).emitWithAck("who"));
  assert.deepEqual(new Set(answers as number[]), new Set([100, 200]));
  await waitFor(async () => (await a.run(({ io }) => io.of("/").adapter.serverCount())) === 2);
  assert.deepEqual(await a.run(({ io }) => io.serverSideEmitWithAck("who", 7)), [{ worker: 200, args: [7] }]);
});

test("the emitter's commands are carried out by all of them", async (t) => {
  const { client, members } = await twoServers(t);
  const [a, b] = members;
  await emitterEntry(client, { socketsJoin: ["room"] }, { rooms: [b.id] });
  await emitterEntry(client, { emit: ["hello", { n: 1 }] }, { rooms: ["room"] });
  await emitterEntry(client, { emit: ["bytes", Buffer.from([3])] });
  await emitterEntry(client, { emit: ["others"] }, { except: ["room"] });
  await emitterEntry(client, { socketsLeave: ["room"] });
  await emitterEntry(client, { emit: ["nobody"] }, { rooms: ["room"] });
  await emitterEntry(client, { emit: ["last"] });
  const bytes = ["bytes", Buffer.from([3])];
  await waitFor(() => [a, b].every(({ received }) => received.some(([event]) => event === "last")));
  assert.deepEqual(a.received, [bytes, ["others"], ["last"]]);
  assert.deepEqual(b.received, [["hello", { n: 1 }], bytes, ["last"]]);

  await emitterEntry(client, { disconnectSockets: true }, { rooms: [a.id] });
  await waitFor(() => a.client.disconnected);
  assert.ok(b.client.connected);
});
