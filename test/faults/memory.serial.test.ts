import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { WebSocketSession } from "../support/engine-client.js";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

const SESSIONS = 2_000;
const AT_ONCE = 50;
const ROUNDS = 3;
/** What an allocator may keep or give back between two rounds that are alike; 2,000 sessions that leaked would be some 30 MB. */
const FLAT_MB = 8;

interface Memory {
  readonly primary: number;
  readonly workers: number;
}

/** Resident memory in MB. */
function residentMb(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1_024;
}

async function memoryOf(node: TestNode): Promise<Memory> {
  const pids = (await node.workers()).map(({ pid }) => pid);
  return { primary: residentMb(node.pid), workers: pids.reduce((sum, pid) => sum + residentMb(pid), 0) };
}

/** The least of what is seen until it no longer falls: garbage collectors take their time. */
async function settledMemoryOf(node: TestNode): Promise<Memory> {
  let least = await memoryOf(node);
  let unchanged = 0;
  await waitFor(
    async () => {
      const now = await memoryOf(node);
      const fell = now.primary < least.primary - 0.5 || now.workers < least.workers - 0.5;
      unchanged = fell ? 0 : unchanged + 1;
      least = { primary: Math.min(least.primary, now.primary), workers: Math.min(least.workers, now.workers) };
      return unchanged === 8;
    },
    { intervalMs: 250, timeoutMs: 15_000 },
  );
  return least;
}

async function openAndClose(t: TestContext, node: TestNode): Promise<Memory> {
  const sessions: WebSocketSession[] = [];
  while (sessions.length < SESSIONS) {
    sessions.push(
      ...(await Promise.all(Array.from({ length: AT_ONCE }, () => WebSocketSession.open(t, { port: node.port })))),
    );
  }
  await waitFor(async () => (await node.metric("limpet_connections")) === SESSIONS);
  const open = await memoryOf(node);
  for (const session of sessions) session.socket.close();
  await waitFor(async () => (await node.metric("limpet_connections")) === 0);
  return open;
}

test(`${SESSIONS} sessions that come and go leave the memory of workers and primary as it was`, async (t) => {
  // Small young generations: what is measured is what stays, not what waits to be collected.
  const node = await startNode(
    { workers: 2, env: { NODE_OPTIONS: "--max-semi-space-size=1", LIMPET_SUPERVISOR_SEMI_SPACE_MB: "1" } },
    t,
  );
  const after: Memory[] = [];
  const text = ({ primary, workers }: Memory): string =>
    `primary ${primary.toFixed(1)} MB, workers ${workers.toFixed(1)} MB`;
  t.diagnostic(`at the start: ${text(await memoryOf(node))}`);
  for (let round = 1; round <= ROUNDS; round++) {
    const open = await openAndClose(t, node);
    const closed = await settledMemoryOf(node);
    after.push(closed);
    t.diagnostic(`round ${round}: open ${text(open)}; closed ${text(closed)}`);
  }
  const [, second, third] = after;
  assert.ok(second !== undefined && third !== undefined);
  assert.ok(third.primary - second.primary < FLAT_MB, `the primary grew by ${third.primary - second.primary} MB`);
  assert.ok(third.workers - second.workers < FLAT_MB, `the workers grew by ${third.workers - second.workers} MB`);
});
