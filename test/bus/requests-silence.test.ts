/** Requests to nodes and workers that live but do not answer: they reject, with what did arrive. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { block, fileScope, type Member } from "../hub/fleet.js";
import type { TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { startNodes, workersOf, type Nodes } from "./fleet.js";

const REQUEST_TIMEOUT_MS = 1_000;

const scope = fileScope();
let fleet: Nodes;
let a: Member, a2: Member, b: Member, b2: Member, c: Member, c2: Member;
let nodeB: TestNode, nodeC: TestNode;
before(async () => {
  const env = { LIMPET_HUB_REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS) };
  fleet = await startNodes(scope, { nodes: 3, env });
  [a, a2, b, b2, c, c2] = fleet.members as [Member, Member, Member, Member, Member, Member];
  [, nodeB, nodeC] = fleet.nodes as [TestNode, TestNode, TestNode];
});

interface Silence {
  readonly name: string;
  readonly message: string;
  readonly missing: number;
  /** Numbers of the workers whose answers did arrive. */
  readonly workers: number[];
}

async function fetchInVain(from: Member, timeoutMs?: number): Promise<Silence> {
  return from.run(async ({ io }, chosenMs) => {
    try {
      await (chosenMs === undefined ? io : io.timeout(chosenMs)).fetchSockets();
    } catch (error) {
      const { name, message, missing, responses } = error as Error & {
        responses: { data: { worker: number } }[];
        missing: number;
      };
      return { name, message, missing, workers: responses.map(({ data }) => data.worker).sort() };
    }
    throw new Error("it should have been rejected");
  }, timeoutMs);
}

async function askInVain(from: Member): Promise<Silence> {
  return from.run(async ({ io }) => {
    try {
      await io.serverSideEmitWithAck("who");
    } catch (error) {
      const { name, message, missing, responses } = error as Error & {
        responses: { worker: number }[];
        missing: number;
      };
      return { name, message, missing, workers: responses.map(({ worker }) => worker).sort() };
    }
    throw new Error("it should have been rejected");
  });
}

/** Who was silent is back as if nothing had been. */
async function whole(): Promise<void> {
  const found = (): Promise<number> => a.run(async ({ io }) => (await io.fetchSockets().catch(() => [])).length);
  await waitFor(async () => (await found()) === 6, { message: "the sockets of all workers" });
}

test("a worker of another node that stays silent rejects fetchSockets, with what the others said", async () => {
  await block(nodeB, b, 4 * REQUEST_TIMEOUT_MS);
  for (const timeoutMs of [undefined, 500]) {
    const { name, message, missing, workers } = await fetchInVain(a, timeoutMs);
    assert.equal(name, "SilentWorkersError");
    assert.match(message, /fetchSockets: timeout reached, .* \(5 responses received\)/);
    assert.equal(missing, 1);
    assert.deepEqual(workers, workersOf([a, a2, b2, c, c2]));
  }
  await whole();
});

test("a worker of another node that stays silent rejects serverSideEmit with ack, with what the others said", async () => {
  await block(nodeB, b, 3 * REQUEST_TIMEOUT_MS);
  const { message, missing, workers } = await askInVain(a);
  assert.match(message, /serverSideEmit: timeout reached, .* \(4 responses received\)/);
  assert.equal(missing, 1);
  assert.deepEqual(workers, workersOf([a2, b2, c, c2]));
  await whole();
});

test("a broadcast with ack to a silent worker of another node times out with the answers there are", async () => {
  await block(nodeB, b, 3 * REQUEST_TIMEOUT_MS);
  await assert.rejects(
    a.run(({ io }) => io.timeout(1_000).emitWithAck("ask")),
    ({ responses }: Error & { responses?: number[] }) => {
      assert.deepEqual([...(responses ?? [])].sort(), workersOf([a, a2, b2, c, c2]));
      return true;
    },
  );
  await whole();
});

test("a node that is stopped and keeps its connections rejects what asks it, with what the others said", async () => {
  process.kill(-nodeC.pid, "SIGSTOP");
  try {
    const found = await fetchInVain(a);
    assert.deepEqual([found.missing, found.workers], [1, workersOf([a, a2, b, b2])]);
    const asked = await askInVain(b);
    assert.deepEqual([asked.missing, asked.workers], [1, workersOf([a, a2, b2])]);
    const responses = await b.run(async ({ io }) => {
      try {
        return await io.timeout(1_000).emitWithAck("ask");
      } catch (error) {
        return { late: (error as { responses?: number[] }).responses?.sort() };
      }
    });
    assert.deepEqual(responses, { late: workersOf([a, a2, b, b2]) });
  } finally {
    process.kill(-nodeC.pid, "SIGCONT");
  }
  await whole();
});

test("an answer that cannot be serialised is missing, and the rest of its node is there", async () => {
  await b.run(({ socket }) => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    socket.data.cycle = cycle;
  });
  const { missing, workers } = await fetchInVain(a);
  assert.deepEqual([missing, workers], [1, workersOf([a, a2, b2, c, c2])]);
  assert.equal(await b.run(({ socket }) => delete socket.data.cycle), true);
  await whole();
});
