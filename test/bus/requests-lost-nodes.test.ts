/** Requests to nodes and workers that end in the middle: they resolve without them. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { arrivals, block, join, type Member } from "../hub/fleet.js";
import type { TestNode } from "../support/node.js";
import { connectMute, sorted, startNodes, workersOf, type Nodes } from "./fleet.js";

/** Far longer than any request here is allowed to take. */
const PATIENCE_MS = 15_000;
const ROOM = "room";

interface Victim {
  readonly fleet: Nodes;
  readonly a: Member;
  readonly b: Member;
  readonly b2: Member;
}

const end = {
  node: async ({ fleet }: Victim): Promise<void> => (fleet.nodes[1] as TestNode).kill(),
  worker: async (_: Victim, pid: number): Promise<void> => void process.kill(pid, "SIGKILL"),
};

/** What a request of node 1 comes to when node 2, or the worker in it that owes the answer, is killed while it owes it. */
async function answerWithout<T>(t: TestContext, who: keyof typeof end, ask: (a: Member) => Promise<T>): Promise<T> {
  const env = { LIMPET_HUB_REQUEST_TIMEOUT_MS: String(4 * PATIENCE_MS) };
  const fleet = await startNodes(t, { nodes: 3, env });
  const [a, , b, b2, c] = fleet.members as [Member, Member, Member, Member, Member, Member];
  await join(ROOM, ...fleet.members);
  const pid = await block(fleet.nodes[1] as TestNode, b, 4 * PATIENCE_MS);
  const answer = ask(a);
  let settled = false;
  const settle = (): void => void (settled = true);
  answer.then(settle, settle);
  // What was published later is there: the request is too, and waits for b.
  await arrivals(a, [a, b2, c]);
  assert.equal(settled, false, "the request waits for the busy worker");
  // What b2's client has acknowledged is with Redis before the answer of this round trip.
  await b2.run(async ({ io }) => void (await io.of("/").adapter.serverCount()));
  await end[who]({ fleet, a, b, b2 }, pid);
  const startMs = performance.now();
  const value = await answer;
  const tookMs = performance.now() - startMs;
  t.diagnostic(`answered ${Math.round(tookMs)} ms after the ${who} was killed`);
  assert.ok(tookMs < PATIENCE_MS);
  return value;
}

/** The other workers, by number; b2 is on the node of b. */
const rest = { node: [100, 101, 300, 301], worker: [100, 101, 201, 300, 301] };

for (const who of ["node", "worker"] as const) {
  test(`fetchSockets resolves without a ${who} that is killed meanwhile`, async (t) => {
    const found = await answerWithout(t, who, (a) =>
      a.run(async ({ io }, room) => (await io.in(room).fetchSockets()).map(({ data }) => Number(data.worker)), ROOM),
    );
    // What the dead node had not said is unknown: it answers for all its workers at once.
    assert.deepEqual(sorted(found), rest[who]);
  });

  test(`serverSideEmit with ack resolves without a ${who} that is killed meanwhile`, async (t) => {
    const answers = await answerWithout(t, who, (a) => a.run(({ io }) => io.serverSideEmitWithAck("who")));
    const workers = (answers as { worker: number }[]).map(({ worker }) => worker);
    assert.deepEqual(
      sorted(workers),
      rest[who].filter((worker) => worker !== 100),
    );
  });

  test(`a broadcast with ack resolves with the answers there are when a ${who} is killed`, async (t) => {
    const answers = await answerWithout(t, who, (a) =>
      a.run(({ io }, room) => io.in(room).timeout(50_000).emitWithAck("ask"), ROOM),
    );
    // Acks are passed on as they come: those of b2 count, whatever becomes of its node.
    assert.deepEqual(sorted(answers), rest.worker);
  });
}

test("the node that asks may end: the others forget its requests, and go on", async (t) => {
  const fleet = await startNodes(t, { env: { LIMPET_HUB_REQUEST_TIMEOUT_MS: "2000" } });
  const [a, , b, b2] = fleet.members as [Member, Member, Member, Member];
  const mute = await connectMute(t, fleet.nodes[1] as TestNode, b.worker);
  await join(ROOM, b, mute);
  const heard = new Promise((resolve) => mute.client.once("ask", resolve));
  void a.client.emit("run", `({ io }) => io.in("${ROOM}").timeout(1000).emitWithAck("ask")`, [], () => undefined);
  await heard;
  await (fleet.nodes[0] as TestNode).kill();
  assert.deepEqual(
    sorted(await b2.run(async ({ io }) => (await io.fetchSockets()).map(({ data }) => data.worker as number))),
    workersOf([b, b, b2]),
  );
});
