import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import type { Readiness } from "../../src/primary/ops-server.js";
import { freePort } from "../support/free-port.js";
import { runNode, startNode, type TestNode } from "../support/node.js";
import { startRedis } from "../support/redis.js";
import { waitFor, type WaitOptions } from "../support/wait.js";
import { openClient, pidOf } from "./clients.js";

const APP = "test/metrics/app.ts";

interface Answer extends Readiness {
  readonly status: number;
}

async function readiness(opsUrl: string): Promise<Answer> {
  const response = await fetch(`${opsUrl}/readyz`);
  return { ...((await response.json()) as Readiness), status: response.status };
}

async function health(opsUrl: string): Promise<number> {
  return (await fetch(`${opsUrl}/healthz`)).status;
}

async function waitForValue<T>(find: () => Promise<T | undefined>, options: WaitOptions = {}): Promise<T> {
  return (await waitFor(find, options)) as T;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ECONNREFUSED");
    return false;
  } finally {
    socket.destroy();
  }
}

test("while a node starts it is alive and not ready, and it is ready no sooner than clients can connect", async (t) => {
  const [port, opsPort] = [await freePort(), await freePort()];
  const opsUrl = `http://127.0.0.1:${opsPort}`;
  // Flags count in their order: the last one of a name wins.
  const run = runNode(
    {
      app: "test/metrics/slow-start-app.ts",
      workers: 2,
      args: ["--port", String(port), "--ops-port", String(opsPort)],
    },
    t,
  );
  await waitFor(async () => (await health(opsUrl)) === 200);
  const seen: Answer[] = [];
  await waitFor(async () => {
    const answer = await readiness(opsUrl);
    seen.push(answer);
    return answer.status === 200;
  });
  assert.equal(await accepts(port), true, "ready, and clients cannot connect");
  await run.waitForLog(({ msg }) => msg === "ready");
  assert.deepEqual(seen.at(-1), { status: 200, ready: true, degraded: false, reasons: [] });
  assert.ok(
    seen.some(({ status, reasons }) => status === 503 && reasons.includes("starting")),
    JSON.stringify(seen),
  );
});

test("a node whose worker ends again and again is not ready, and says which", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-markers-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const node = await startNode({ app: APP, workers: 2, env: { TEST_MARKERS: folder, TEST_SECOND_START: "throw" } }, t);
  assert.deepEqual(await readiness(node.opsUrl), { status: 200, ready: true, degraded: false, reasons: [] });
  process.kill(await pidOf(node, 1), "SIGKILL");
  await waitFor(async () => (await readiness(node.opsUrl)).degraded);
  const looping = await waitForValue(
    async () => {
      const answer = await readiness(node.opsUrl);
      return answer.status === 503 ? answer : undefined;
    },
    { timeoutMs: 30_000 },
  );
  assert.deepEqual(looping, {
    status: 503,
    ready: false,
    degraded: true,
    reasons: ["worker 1 ends again and again"],
  });
  assert.equal(await health(node.opsUrl), 200);
  await node.waitForLog(({ msg, slot }) => msg === "worker ends again and again" && slot === 1);
  // Five ends in a row make a loop: the one that was killed, and four that did not start.
  const restarts = await node.metric("limpet_worker_restarts_total");
  assert.ok(restarts >= 5 && restarts <= 8, `${restarts} restarts: it spins`);
});

test("a node whose Redis goes away stays ready, degraded and with the reason, until Redis is back", async (t) => {
  const redis = await startRedis(t);
  const node = await startNode({ app: APP, workers: 1, args: ["--redis", redis.url] }, t);
  const whole = { status: 200, ready: true, degraded: false, reasons: [] };
  assert.deepEqual(await readiness(node.opsUrl), whole);
  await redis.kill();
  const alone = await waitForValue(async () => {
    const answer = await readiness(node.opsUrl);
    assert.equal(answer.status, 200, "a balancer would leave out every node of the fleet at once");
    return answer.degraded ? answer : undefined;
  });
  assert.equal(alone.ready, true);
  assert.match(alone.reasons.join(), /^other nodes are out of reach: .+$/);
  await redis.start();
  await waitFor(async () => !(await readiness(node.opsUrl)).degraded, { timeoutMs: 20_000 });
  assert.deepEqual(await readiness(node.opsUrl), whole);
});

test("a node that stops is alive and not ready until its last worker has ended", async (t) => {
  const node = await startNode({ app: APP, workers: 2 }, t);
  const client = await openClient(t, node);
  const pid = await pidOf(node, 0);
  process.kill(pid, "SIGSTOP");
  node.signal("SIGTERM");
  const draining = await waitForValue(async () => {
    const answer = await readiness(node.opsUrl);
    return answer.status === 503 ? answer : undefined;
  });
  assert.equal(draining.ready, false);
  assert.ok(draining.reasons.includes("draining"), JSON.stringify(draining));
  assert.equal(await health(node.opsUrl), 200);
  await waitFor(async () => (await node.workers()).length === 1);
  assert.deepEqual(
    (await node.workers()).map(({ slot, state }) => ({ slot, state })),
    [{ slot: 0, state: "draining" }],
  );
  process.kill(pid, "SIGCONT");
  assert.deepEqual(await node.stop(), { code: 0, signal: null });
  await waitFor(() => client.closed);
});

test("/workers follows a worker from ready to its replacement", async (t) => {
  const node = await startNode({ app: APP, workers: 2 }, t);
  const client = await openClient(t, node);
  const slot = client.sid.charCodeAt(2) - "A".charCodeAt(0);
  const of = async (): Promise<Awaited<ReturnType<TestNode["workers"]>>[number] | undefined> =>
    (await node.workers()).find((worker) => worker.slot === slot);
  const before = await waitForValue(async () => {
    const worker = await of();
    return worker?.connections.websocket === 1 ? worker : undefined;
  });
  assert.equal(before.state, "ready");
  assert.equal(before.sessions, 1);
  assert.equal(before.restarts, 0);
  process.kill(before.pid, "SIGKILL");
  const after = await waitForValue(async () => {
    const worker = await of();
    return worker?.state === "ready" && worker.pid !== before.pid ? worker : undefined;
  });
  assert.equal(after.restarts, 1);
  assert.equal(after.sessions, 0);
  assert.deepEqual(after.connections, { polling: 0, websocket: 0 });
  assert.ok(after.incarnation > before.incarnation);
  assert.ok(Date.parse(after.startedAt) > Date.parse(before.startedAt));
});
