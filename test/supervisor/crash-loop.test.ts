import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { runNode, startNode } from "../support/node.js";
import { exitOf } from "../support/children.js";
import { WebSocketSession } from "../support/engine-client.js";
import { waitFor } from "../support/wait.js";

/** Enough for the workers that do become ready, on a crowded machine too. */
const PATIENT_MS = 15_000;

test("a worker that ends again and again is started ever later; the log and /readyz say so, the rest serves", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-loop-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "end");
  const node = await startNode({ app: "test/supervisor/ending.app.ts", env: { ENDING_FILE: file } }, t);
  assert.equal((await fetch(`${node.opsUrl}/readyz`)).status, 200);

  writeFileSync(file, "");
  const { delayMs } = await node.waitForLog(({ msg }) => msg === "worker ends again and again", 40_000);
  const response = await fetch(`${node.opsUrl}/readyz`);
  assert.equal(response.status, 503);
  assert.match(await response.text(), /worker 0 ends again and again/);
  assert.equal((await fetch(`${node.opsUrl}/healthz`)).status, 200, "restarting the node would not help");

  const ends = node.logs().filter(({ msg }) => msg === "worker ended unexpectedly");
  const starts = node.logs().filter(({ msg, slot }) => msg === "worker ready" && slot === 0);
  const pausesMs = starts
    .slice(1)
    .map(({ time }, i) => Date.parse(String(time)) - Date.parse(String(ends[i]?.["time"])));
  t.diagnostic(
    `from each end to the next ready worker: ${pausesMs.join(", ")} ms; the next pause: ${String(delayMs)} ms`,
  );
  // 0, 100, 200, 400 ms of pause, and what a start takes: the last one must be longer than its pause alone.
  assert.equal(delayMs, 800);
  assert.ok((pausesMs[3] ?? 0) >= 400, pausesMs.join());
  assert.equal(await node.metric("limpet_worker_restarts_total", { cause: "crash" }), ends.length);
  await waitFor(async () => (await node.metric("limpet_workers", { state: "backing_off" })) === 1);

  const session = await WebSocketSession.open(t, { port: node.port });
  await session.joinMain();

  // Once the reason is gone the worker comes back by itself.
  rmSync(file);
  await waitFor(async () => (await node.metric("limpet_workers", { state: "ready" })) === 2, { timeoutMs: 15_000 });
});

test("a node whose worker is never ready ends, and says that it was not ready in time", async (t) => {
  const run = runNode(
    { app: "test/supervisor/waiting.app.ts", env: { LIMPET_SUPERVISOR_READY_TIMEOUT_MS: "2000" } },
    t,
  );
  const { code } = await exitOf(run.child, 30_000, "the node");
  assert.equal(code, 1);
  assert.match(run.output(), /^limpet: .*not ready within 2000 ms/m);
  assert.ok(run.logs().some(({ msg, cause }) => msg.startsWith("worker killed") && cause === "not_ready"));
});

test("a replacement that is never ready is counted as not_ready and tried again", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-wait-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "wait");
  const env = { WAITING_FILE: file, LIMPET_SUPERVISOR_READY_TIMEOUT_MS: String(PATIENT_MS) };
  const node = await startNode({ app: "test/supervisor/later-waiting.app.ts", env }, t);
  writeFileSync(file, "");
  const [worker] = await node.workers();
  assert.ok(worker !== undefined);
  process.kill(worker.pid, "SIGKILL");
  const isCounted = async (): Promise<boolean> =>
    (await node.metric("limpet_worker_restarts_total", { cause: "not_ready" })) === 1;
  await waitFor(isCounted, { timeoutMs: 3 * PATIENT_MS });
  rmSync(file);
  await waitFor(async () => (await node.metric("limpet_workers", { state: "ready" })) === 2, {
    timeoutMs: 3 * PATIENT_MS,
  });
});
