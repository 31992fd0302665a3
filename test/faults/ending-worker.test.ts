import assert from "node:assert/strict";
import test from "node:test";
import { PollingSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { RawConnection, requestBytes } from "../support/raw-http.js";

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

    const statuses = await Promise.all(
      connections.map(async (connection) => {
        try {
          return (await connection.readResponse({ timeoutMs: 5_000 })).status;
        } catch (error) {
          if (connection.ended) return "closed";
          throw error;
        }
      }),
    );
    const answered = statuses.filter((status) => status !== "closed");
    t.diagnostic(`${answered.length} of ${CONNECTIONS} requests were answered, the others closed`);
    assert.deepEqual([...new Set(answered)], [400], "the client is told that its session is gone");
    assert.ok(answered.length >= CONNECTIONS / 2, `only ${answered.length} of ${CONNECTIONS} requests were answered`);
    await node.waitForLog((line) => line.msg === "worker ready" && Number(line["wid"]) > 2 + round);
  }
});
