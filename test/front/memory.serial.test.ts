import assert from "node:assert/strict";
import test from "node:test";
import { WebSocketSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { RawConnection } from "../support/raw-http.js";
import { rssMiB } from "./kernel.js";
import { webSocketOnEach, slotOf } from "./sessions.js";

const BLOCK_MS = 4_000;
const UPLOAD_MIB = 300;
const MIB = 1024 * 1024;
const GROWTH_MIB = 20;

/** The most that a process grows, sampled until `stop` is called. */
function watchGrowth(t: test.TestContext, pid: number): { stop: () => number } {
  const startMiB = rssMiB(pid);
  let most = 0;
  const sample = (): void => void (most = Math.max(most, rssMiB(pid) - startMiB));
  const timer = setInterval(sample, 20);
  t.after(() => clearInterval(timer));
  return {
    stop: () => {
      sample();
      clearInterval(timer);
      return most;
    },
  };
}

test("300 MB sent to a worker that is busy for 4 s wait at the client, not in the primary or the worker", async (t) => {
  const node = await startNode({ app: "test/front/app.ts", workers: 2 }, t);
  const [session] = await webSocketOnEach(t, { port: node.port });
  assert.ok(session !== undefined);
  await session.joinMain();
  const worker = (await node.workers()).find(({ slot }) => slot === slotOf(session));
  assert.ok(worker !== undefined);

  // A connection of the same worker: its first request names a session there.
  const connection = await RawConnection.open(t, node.port);
  const target = `/socket.io/?EIO=4&transport=polling&sid=${session.sid}`;
  assert.equal((await connection.request({ target })).status, 400, "the session is not a polling one");
  // Warm: what a first upload costs once is not what grows.
  const chunk = Buffer.alloc(MIB, "x");
  await upload(connection, chunk, 20);

  const primary = watchGrowth(t, node.pid);
  const busy = watchGrowth(t, worker.pid);
  session.send(`42["block",${BLOCK_MS}]`);
  await node.waitForLog(({ msg }) => msg === "blocks");
  const startMs = performance.now();
  // Engine.IO's POSTs are held to maxHttpBufferSize; the app's own requests are not, and this one is read to its end.
  assert.equal((await upload(connection, chunk, UPLOAD_MIB)).bytes, UPLOAD_MIB * MIB);
  const grown = { primary: primary.stop(), worker: busy.stop() };
  t.diagnostic(
    `${UPLOAD_MIB} MiB in ${((performance.now() - startMs) / 1000).toFixed(1)} s; ` +
      `primary +${grown.primary.toFixed(1)} MiB, worker +${grown.worker.toFixed(1)} MiB`,
  );
  assert.ok(performance.now() - startMs >= BLOCK_MS - 500, "the worker was busy when the upload began");
  assert.ok(grown.primary < GROWTH_MIB, `the primary grew by ${grown.primary} MiB`);
  assert.ok(grown.worker < 3 * GROWTH_MIB, `the worker grew by ${grown.worker} MiB`);
});

test("300 MB of Socket.IO's own POST for a busy worker are refused by their length, and nothing grows", async (t) => {
  const node = await startNode({ app: "test/front/app.ts", workers: 2 }, t);
  const [session] = await webSocketOnEach(t, { port: node.port });
  const primary = watchGrowth(t, node.pid);
  assert.ok(session instanceof WebSocketSession);
  await session.joinMain();
  session.send(`42["block",${BLOCK_MS}]`);
  await node.waitForLog(({ msg }) => msg === "blocks");
  // Each on a connection of its own, which the primary must hand over to the worker that does not take it yet.
  const connections = await Promise.all(Array.from({ length: 30 }, () => RawConnection.open(t, node.port)));
  const bytes = Buffer.alloc(10 * MIB, "4");
  const target = `/socket.io/?EIO=4&transport=polling&sid=${session.sid}`;
  const statuses = await Promise.all(
    connections.map(async (connection) => {
      connection.socket.write(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      connection.socket.write(bytes);
      try {
        return (await connection.readResponse({ timeoutMs: BLOCK_MS + 15_000 })).status;
      } catch (error) {
        // A reset while it still sends may overtake the answer.
        if (connection.ended || connection.socket.errored !== null) return "closed";
        throw error;
      }
    }),
  );
  const grown = primary.stop();
  t.diagnostic(`answers: ${JSON.stringify([...new Set(statuses)])}; primary +${grown.toFixed(1)} MiB`);
  for (const status of statuses) assert.ok([400, 413, "closed"].includes(status), String(status));
  assert.ok(grown < GROWTH_MIB, `the primary grew by ${grown} MiB`);
});

/** Sends that many chunks as one body, each when the kernel has taken the one before. */
async function upload(connection: RawConnection, chunk: Buffer, chunks: number): Promise<{ bytes: number }> {
  await connection.write(`POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: ${chunk.length * chunks}\r\n\r\n`);
  for (let i = 0; i < chunks; i++) await connection.write(chunk);
  return JSON.parse((await connection.readResponse({ timeoutMs: 60_000 })).text) as { bytes: number };
}
