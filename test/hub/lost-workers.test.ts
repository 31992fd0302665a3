/** Requests to workers that end in the middle: they resolve without them. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { arrivals, block, connectTo, join, startFleet, type Member } from "./fleet.js";

/** Far longer than any request here is allowed to take. */
const PATIENCE_MS = 15_000;

/** What a request comes to when one of three workers is killed while it owes its answer. */
async function answerWithoutB<T>(
  t: TestContext,
  prepare: (a: Member, b: Member, c: Member) => Promise<void>,
  ask: (a: Member) => Promise<T>,
): Promise<T> {
  const fleet = await startFleet(t, { env: { LIMPET_HUB_REQUEST_TIMEOUT_MS: String(4 * PATIENCE_MS) } });
  const [a, b, c] = fleet.members as [Member, Member, Member];
  await prepare(a, b, c);
  const pid = await block(fleet.node, b, 4 * PATIENCE_MS);
  const answer = ask(a);
  let settled = false;
  const settle = (): void => void (settled = true);
  answer.then(settle, settle);
  // What was published later has gone through the hub: the request has too, and waits for b.
  await arrivals(a, [a, c]);
  assert.equal(settled, false, "the request waits for the busy worker");
  process.kill(pid, "SIGKILL");
  const startMs = performance.now();
  const value = await answer;
  const tookMs = performance.now() - startMs;
  t.diagnostic(`answered ${Math.round(tookMs)} ms after the worker was killed`);
  assert.ok(tookMs < PATIENCE_MS);
  return value;
}

const ROOM = "room";

test("fetchSockets resolves without a worker that is killed meanwhile", async (t) => {
  const workers = await answerWithoutB(
    t,
    async (...members) => join(ROOM, ...members),
    (a) =>
      a.run(async ({ io }, room) => (await io.in(room).fetchSockets()).map(({ data }) => Number(data.worker)), ROOM),
  );
  assert.deepEqual(workers.sort(), [0, 2]);
});

test("serverSideEmit with ack resolves without a worker that is killed meanwhile", async (t) => {
  const answers = await answerWithoutB(
    t,
    async () => undefined,
    (a) => a.run(({ io }) => io.serverSideEmitWithAck("who")),
  );
  assert.deepEqual(
    answers.map(({ worker }: { worker: number }) => worker),
    [2],
  );
});

test("a broadcast with ack resolves with the answers there are when a worker is killed", async (t) => {
  const answers = await answerWithoutB(
    t,
    async (...members) => join(ROOM, ...members),
    (a) => a.run(({ io }, room) => io.in(room).timeout(50_000).emitWithAck("ask"), ROOM),
  );
  assert.deepEqual((answers as number[]).sort(), [0, 2]);
});

test("the acks that a worker passed on before it was killed count", async (t) => {
  const fleet = await startFleet(t, { env: { LIMPET_HUB_REQUEST_TIMEOUT_MS: String(4 * PATIENCE_MS) } });
  const [a, b, c] = fleet.members as [Member, Member, Member];
  const mute = await connectTo(t, fleet.node.url, b.worker);
  mute.client.offAny();
  await join(ROOM, a, b, c, mute);
  const answer = a.run(({ io }, room) => io.in(room).timeout(50_000).emitWithAck("ask"), ROOM);
  const got = new Promise((resolve) => mute.client.once("ask", resolve));
  await Promise.all([got, arrivals(a, [a, b, c])]);
  // The ack of b's client is behind this round trip, on its way or there.
  await b.run(async ({ io }) => void (await io.of("/").adapter.serverCount()));
  const pid = (await fleet.node.workers()).find(({ slot }) => slot === b.worker)?.pid;
  assert.ok(pid !== undefined);
  process.kill(pid, "SIGKILL");
  assert.deepEqual(((await answer) as number[]).sort(), [0, 1, 2]);
});
