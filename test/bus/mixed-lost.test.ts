/** Stock servers and nodes that end, stop, or close a namespace in a mixed fleet: nobody waits for them in vain. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { arrivals, block, connect, enter, join, type Member } from "../hub/fleet.js";
import { waitFor } from "../support/wait.js";
import { sorted, startNodes, subscribers, waitForSubscribers, workersOf } from "./fleet.js";
import { promptly, startMixedFleet, type MixedFleet } from "./mixed-fleet.js";
import { joined, startStockServer } from "../support/stock-server.js";

/** Far longer than any request here is allowed to take. */
const PATIENCE_MS = 15_000;
const ROOM = "room";

/** What a node's request comes to when the second stock server, which is busy, is killed before it has answered. */
async function answerWithoutStock<T>(t: TestContext, ask: (a: Member) => Promise<T>): Promise<T> {
  const env = { LIMPET_HUB_REQUEST_TIMEOUT_MS: String(4 * PATIENCE_MS) };
  const fleet = await startMixedFleet(t, { nodes: 1, env });
  const [a, a2] = fleet.members as [Member, Member];
  const [s, s2] = fleet.stockMembers as [Member, Member];
  await join(ROOM, a, a2, s, s2);
  await blockStock(fleet, 4 * PATIENCE_MS);
  const answer = ask(a);
  let settled = false;
  const settle = (): void => void (settled = true);
  answer.then(settle, settle);
  await arrivals(a, [a, a2, s]);
  assert.equal(settled, false, "the request waits for the busy server");
  await fleet.servers[1]?.stop();
  const startMs = performance.now();
  const value = await answer;
  t.diagnostic(`answered ${Math.round(performance.now() - startMs)} ms after the stock server was killed`);
  return value;
}

/** Keeps the second stock server from doing anything else. */
async function blockStock({ servers, stockMembers }: MixedFleet, blockMs: number): Promise<void> {
  const [, server] = servers;
  stockMembers[1]
    ?.run(({ limpet }, durationMs) => {
      limpet.log.info({}, "blocked");
      const endMs = Date.now() + durationMs;
      while (Date.now() < endMs);
    }, blockMs)
    .catch(() => "the server was ended");
  await waitFor(() => server?.output().includes('"blocked"'), { message: "the stock server to be busy" });
}

test("fetchSockets of a node resolves without a stock server that is killed meanwhile", async (t) => {
  const found = await answerWithoutStock(t, (a) =>
    a.run(async ({ io }) => (await io.fetchSockets()).map(({ data }) => data.worker as number)),
  );
  assert.deepEqual(sorted(found), [100, 101, 800]);
});

test("serverSideEmit with ack of a node resolves without a stock server that is killed meanwhile", async (t) => {
  const answers = await answerWithoutStock(t, (a) => a.run(({ io }) => io.serverSideEmitWithAck("who")));
  assert.deepEqual(sorted((answers as { worker: number }[]).map(({ worker }) => worker)), [101, 800]);
});

test("a broadcast with ack of a node resolves without a stock server that is killed meanwhile", async (t) => {
  const answers = await answerWithoutStock(t, (a) =>
    a.run(({ io }, room) => io.in(room).timeout(50_000).emitWithAck("ask"), ROOM),
  );
  assert.deepEqual(sorted(answers), [100, 101, 800]);
});

test("a stock server that stays silent rejects a node's requests, with what the others said", async (t) => {
  const fleet = await startMixedFleet(t, { env: { LIMPET_HUB_REQUEST_TIMEOUT_MS: "1000" } });
  const [a] = fleet.members as [Member];
  const responding = [...fleet.members, fleet.stockMembers[0] as Member];
  fleet.servers[1]?.signal("SIGSTOP");
  const late = await a.run(async ({ io }) => {
    const outcomes = await Promise.all(
      [io.fetchSockets(), io.serverSideEmitWithAck("who"), io.timeout(1_000).emitWithAck("ask")].map((asked) =>
        Promise.resolve(asked).then(
          () => "resolved",
          (error: { responses: (number | { worker?: number; data?: { worker: number } })[] }) =>
            error.responses.map((one) => (typeof one === "number" ? one : (one.worker ?? one.data?.worker))),
        ),
      ),
    );
    return outcomes as number[][];
  });
  assert.deepEqual(late.map(sorted), [
    workersOf(responding),
    workersOf(responding.filter((member) => member !== a)),
    workersOf(responding),
  ]);
  fleet.servers[1]?.signal("SIGCONT");
  await waitFor(async () => (await a.run(async ({ io }) => (await io.fetchSockets().catch(() => [])).length)) === 6);
});

test("a stock server does not wait for nodes that were killed or stopped, nor a node for one that was killed", async (t) => {
  const fleet = await startMixedFleet(t, { servers: 1 });
  const [a, a2] = fleet.members as [Member, Member];
  const [s] = fleet.stockMembers as [Member];
  await fleet.nodes[1]?.kill();
  await waitForSubscribers(fleet.client, "/", 2);
  const workersFrom = async (from: Member): Promise<number[]> =>
    sorted(
      await promptly(from.run(async ({ io }) => (await io.fetchSockets()).map(({ data }) => data.worker as number))),
    );
  assert.deepEqual(await workersFrom(s), workersOf([a, a2, s]));
  assert.deepEqual(await workersFrom(a), workersOf([a, a2, s]));
  await fleet.nodes[0]?.stop();
  assert.equal(await subscribers(fleet.client, "/"), 1);
  assert.deepEqual(await workersFrom(s), [800]);
});

test("a stock server alone, and a node alone beside one that was killed, are whole by themselves", async (t) => {
  const fleet = await startMixedFleet(t, { nodes: 1, servers: 1 });
  const [a, a2] = fleet.members as [Member, Member];
  await fleet.servers[0]?.stop();
  await waitForSubscribers(fleet.client, "/", 1);
  const found = await promptly(
    a.run(async ({ io }) => (await io.fetchSockets()).map(({ data }) => data.worker as number)),
  );
  assert.deepEqual(sorted(found), workersOf([a, a2]));
  assert.deepEqual(await promptly(a.run(({ io }) => io.of("/empty").serverSideEmitWithAck("who"))), [
    { worker: a2.worker, args: [] },
  ]);
});

test("a namespace that a node has closed makes no stock server wait", async (t) => {
  const env = { LIMPET_SOCKETIO_CLEANUP_EMPTY_CHILD_NAMESPACES: "true" };
  const fleet = await startMixedFleet(t, { nodes: 1, servers: 1, env });
  const [a] = fleet.members as [Member];
  const [s] = fleet.stockMembers as [Member];
  const nsp = "/dynamic-closing";
  const inside = await enter(s, nsp);
  for (let round = 0; round < 10; round++) {
    const guest = await enter(a, nsp);
    await waitForSubscribers(fleet.client, nsp, 2);
    guest.client.disconnect();
    await waitForSubscribers(fleet.client, nsp, 1);
    assert.equal(await promptly(inside.run(async ({ socket }) => (await socket.nsp.fetchSockets()).length)), 1);
  }
});

test("a node that joins stock servers which are at work hears them, and they hear it", async (t) => {
  const first = await startMixedFleet(t, { nodes: 1, servers: 1 });
  const [a] = first.members as [Member];
  const [s] = first.stockMembers as [Member];
  const more = await startNodes(t, { nodes: 1, firstId: 2, redis: first.redis });
  const [b] = more.members as [Member];
  const server = await startStockServer(t, { app: "test/hub/app.mjs", id: 9, redis: { port: first.redis.port } });
  await joined(first.client, 8, 9);
  const s2 = await connect(t, server.url);
  const all = [a, b, s, s2];
  for (const from of all) {
    await from.run(({ io }) => void io.emit("hello", 1));
    assert.deepEqual(await arrivals(from, all), Array(4).fill([["hello", 1]]));
    const found = await promptly(from.run(async ({ io }) => (await io.fetchSockets()).length));
    assert.equal(found, 6);
  }
});

test("what a node's busy worker owes a stock server is left out once the worker is killed", async (t) => {
  const fleet = await startMixedFleet(t, { nodes: 1, servers: 1 });
  const [a, a2] = fleet.members as [Member, Member];
  const [s] = fleet.stockMembers as [Member];
  const pid = await block(fleet.nodes[0] as never, a, 4 * PATIENCE_MS);
  const found = s.run(async ({ io }) =>
    (await io.timeout(10_000).fetchSockets()).map(({ data }) => data.worker as number),
  );
  await arrivals(s, [a2, s]);
  process.kill(pid, "SIGKILL");
  assert.deepEqual(sorted(await found), workersOf([a2, s]));
});
