import assert from "node:assert/strict";
import test from "node:test";
import { startNode, type TestNode } from "../support/node.js";
import { PollingSession } from "../support/engine-client.js";
import { RawConnection, rawRequest, requestBytes } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";
import { allRead } from "./kernel.js";
import { sessionOnEach, slotOf } from "./sessions.js";

const MAX_PENDING = 50;
const EXTRA = 30;
const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";

function start(t: test.TestContext): Promise<TestNode> {
  // The heartbeat is slow: a worker that is stopped must not be replaced, nor its sessions end, before the test is over.
  const env = { LIMPET_FRONT_MAX_PENDING_HANDOFFS: String(MAX_PENDING), LIMPET_SUPERVISOR_HANG_TIMEOUT_MS: "600000" };
  return startNode({ app: "test/front/app.ts", workers: 2, env }, t);
}

/** Stops a worker's process: it reads nothing and answers nothing until it is told to go on. */
async function stopWorker(node: TestNode, slot: number): Promise<number> {
  const pid = (await node.workers()).find((worker) => worker.slot === slot)?.pid;
  assert.ok(pid !== undefined);
  process.kill(pid, "SIGSTOP");
  return pid;
}

async function openAll(t: test.TestContext, node: TestNode, targets: readonly string[]): Promise<RawConnection[]> {
  const connections: RawConnection[] = [];
  for (const target of targets) {
    const connection = await RawConnection.open(t, node.port);
    await connection.write(requestBytes({ target, body: "40" }));
    await allRead([connection]);
    connections.push(connection);
  }
  return connections;
}

test("beyond maxPendingHandoffs a blocked worker's connections are refused and counted; the others are served", async (t) => {
  const node = await start(t);
  const sessions = await sessionOnEach(t, { port: node.port });
  const [blocked, free] = sessions;
  assert.ok(blocked !== undefined && free !== undefined);
  const pid = await stopWorker(node, 0);

  const connections = await openAll(t, node, Array<string>(MAX_PENDING + EXTRA).fill(blocked.target));
  const refused = (): RawConnection[] => connections.filter(({ received }) => received.length > 0);
  await waitFor(() => refused().length >= EXTRA - 1, { message: () => `refusals; there were ${refused().length}` });
  for (const connection of refused()) {
    const { status, headers, text } = await connection.readResponse();
    assert.deepEqual([status, headers["connection"]], [503, "close"]);
    assert.equal((JSON.parse(text) as { error: string }).error, "overloaded");
    await connection.waitForEnd();
  }
  // Besides those that wait there is one on its way: the channel passes one at a time.
  const count = await node.metric("limpet_front_refusals_total", { reason: "overloaded" });
  assert.ok(count === EXTRA || count === EXTRA - 1, `${count} were counted`);

  await free.joinMain();
  await free.post('420["echo","x"]');
  assert.deepEqual(await free.poll(), ['430["x"]']);

  process.kill(pid, "SIGCONT");
  const answers = await Promise.all(
    connections.filter(({ ended }) => !ended).map(async (connection) => (await connection.readResponse()).status),
  );
  assert.equal(answers.length, MAX_PENDING + EXTRA - count, "those that waited are answered once the worker goes on");
  t.diagnostic(`${answers.length} waited and were answered, ${count} were refused`);
});

test("new sessions go to the worker that takes them, also when a blocked one has fewer", async (t) => {
  const node = await start(t);
  // Then those of one worker end: it is the one with the fewest.
  const sessions: PollingSession[] = [];
  while (sessions.length < 8 * MAX_PENDING) {
    const opening = Array.from({ length: MAX_PENDING / 2 }, () => PollingSession.open(t, { port: node.port }));
    sessions.push(...(await Promise.all(opening)));
  }
  for (const session of sessions.filter((session) => slotOf(session) === 0)) await session.close();
  await waitFor(async () => (await node.workers()).find(({ slot }) => slot === 0)?.sessions === 0);
  const pid = await stopWorker(node, 0);

  const connections = await openAll(t, node, Array<string>(MAX_PENDING + EXTRA).fill("/app"));
  const handshakes = await Promise.all(
    Array.from({ length: 20 }, () => rawRequest(t, node.port, { target: HANDSHAKE })),
  );
  assert.deepEqual([...new Set(handshakes.map(({ status }) => status))], [200]);
  assert.equal(await node.metric("limpet_front_refusals_total", { reason: "overloaded" }), 0);
  process.kill(pid, "SIGCONT");
  for (const connection of connections) assert.equal((await connection.readResponse()).status, 200);
});

test("connections that wait for a worker when it is killed are answered by another one", async (t) => {
  const node = await start(t);
  const [session] = await sessionOnEach(t, { port: node.port });
  assert.ok(session !== undefined);
  const pid = await stopWorker(node, 0);
  const connections = await openAll(t, node, Array<string>(MAX_PENDING).fill(session.target));
  process.kill(pid, "SIGKILL");
  const results = await Promise.all(
    connections.map(async (connection) => {
      try {
        return (await connection.readResponse({ timeoutMs: 10_000 })).status;
      } catch (error) {
        if (connection.ended) return "closed";
        throw error;
      }
    }),
  );
  const closed = results.filter((result) => result === "closed").length;
  assert.ok(closed <= 2, `${closed} were closed: only those that were in the killed worker's channel may be`);
  // 400: its session is gone; 503: the other worker has not heard of that yet. Clients come back from both.
  for (const result of results) assert.ok(["closed", 400, 503].includes(result), String(result));
  t.diagnostic(`${results.length - closed} of ${results.length} were answered, ${closed} closed`);
});
