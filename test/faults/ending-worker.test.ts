import assert from "node:assert/strict";
import test from "node:test";
import { PollingSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { RawConnection, requestBytes } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";

const CONNECTIONS = 100;

test("requests that arrive while a worker ends are all answered or closed, and the primary goes on", async (t) => {
  const node = await startNode({ workers: 2 }, t);
  for (let round = 0; round < 3; round++) {
    const session = await PollingSession.open(t, { port: node.port });
    const slot = session.sid.charCodeAt(2) - "A".charCodeAt(0);
    const pid = (await node.workers()).find((worker) => worker.slot === slot)?.pid;
    assert.ok(pid !== undefined);
    // The primary finds the worker's end and the requests for it in the same turn.
    node.signal("SIGSTOP");
    process.kill(pid, "SIGKILL");
    const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => RawConnection.open(t, node.port)));
    await Promise.all(connections.map((connection) => connection.write(requestBytes({ target: session.target }))));
    node.signal("SIGCONT");

    const statuses = await Promise.all(connections.map((connection) => statusOf(connection)));
    const answered = refusals(statuses);
    t.diagnostic(`${answered.length} of ${CONNECTIONS} requests were answered, the others closed`);
    assert.ok(answered.length >= CONNECTIONS / 2, `only ${answered.length} of ${CONNECTIONS} requests were answered`);
    await node.waitForLog((line) => line.msg === "worker ready" && Number(line["wid"]) > 2 + round);
  }
});

test("a connection on its way to a worker that ends is closed, those behind it go to another", async (t) => {
  const node = await startNode({ workers: 2 }, t);
  const session = await PollingSession.open(t, { port: node.port });
  const slot = session.sid.charCodeAt(2) - "A".charCodeAt(0);
  const pid = (await node.workers()).find((worker) => worker.slot === slot)?.pid;
  assert.ok(pid !== undefined);
  process.kill(pid, "SIGSTOP");
  const handedOver = await node.metric("limpet_handoff_seconds_count");
  const connections = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(t, node.port)));
  await Promise.all(connections.map((connection) => connection.write(requestBytes({ target: session.target }))));
  await waitFor(async () => (await node.metric("limpet_handoff_seconds_count")) === handedOver + 1);
  process.kill(pid, "SIGKILL");

  const statuses = await Promise.all(connections.map((connection) => statusOf(connection)));
  assert.equal(statuses.length - refusals(statuses).length, 1);
});

async function statusOf(connection: RawConnection): Promise<number | "closed"> {
  try {
    return (await connection.readResponse({ timeoutMs: 5_000 })).status;
  } catch (error) {
    if (connection.ended) return "closed";
    throw error;
  }
}

/** The answers: 400 says that the session is gone, 503 that this was not known yet. There is no other. */
function refusals(statuses: readonly (number | "closed")[]): number[] {
  const answered = statuses.filter((status) => status !== "closed");
  assert.deepEqual(
    answered.filter((status) => status !== 400 && status !== 503),
    [],
  );
  return answered;
}
