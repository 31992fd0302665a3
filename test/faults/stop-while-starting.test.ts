import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { pidOf } from "../metrics/clients.js";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

test("a node stops in order while a worker's app is still starting", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-markers-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const node = await startNode(
    { app: "test/metrics/app.ts", workers: 2, env: { TEST_MARKERS: folder, TEST_SECOND_START: "hang" } },
    t,
  );
  const killed = await pidOf(node, 1);
  process.kill(killed, "SIGKILL");
  // It has its link, and waits for its app.
  await waitFor(async () => (await node.metrics()).find("process_cpu_seconds_total", { worker: "1" }).length === 1);
  await waitFor(async () =>
    (await node.workers()).some(({ slot, state, pid }) => slot === 1 && state === "starting" && pid !== killed),
  );
  assert.deepEqual(await node.stop(), { code: 0, signal: null });
  assert.deepEqual(
    node
      .logs()
      .filter(({ level, slot, pid }) => (level === "fatal" || level === "error") && !(slot === 1 && pid === killed)),
    [],
  );
});
