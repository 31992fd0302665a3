import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { io, type Socket } from "socket.io-client";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

const CLIENTS = 8;

/** Connects clients by WebSocket, so that each is one handshake and one session. */
async function connectClients(t: TestContext, node: TestNode): Promise<Socket[]> {
  const sockets = Array.from({ length: CLIENTS }, () => {
    const socket = io(node.url, { transports: ["websocket"], forceNew: true, reconnection: false });
    t.after(() => socket.disconnect());
    return socket;
  });
  await waitFor(() => sockets.every(({ connected }) => connected), { message: "the clients to connect" });
  return sockets;
}

async function pidOfSlot(node: TestNode, slot: number): Promise<number> {
  const worker = (await node.workers()).find((candidate) => candidate.slot === slot && candidate.state === "ready");
  assert.ok(worker, `slot ${slot}`);
  return worker.pid;
}

test("a worker that does not answer neither fails nor skews the scrape", async (t) => {
  const node = await startNode({ workers: 2 }, t);
  await connectClients(t, node);
  const before = await node.metrics();
  assert.equal(before.sum("limpet_sessions_opened_total"), CLIENTS);
  const pid = await pidOfSlot(node, 1);
  process.kill(pid, "SIGSTOP");
  t.after(() => {
    try {
      process.kill(pid, "SIGCONT");
    } catch (error) {
      // The node has ended before.
      assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
    }
  });
  const startedAtMs = performance.now();
  for (let scrape = 1; scrape <= 3; scrape++) {
    const during = await node.metrics();
    assert.equal(during.sum("limpet_sessions_opened_total"), CLIENTS);
    assert.equal(during.sum("limpet_connections"), CLIENTS, "the silent worker keeps what it said last");
    assert.ok(during.sum("process_cpu_seconds_total", { worker: "0" }) > 0);
    assert.ok(during.sum("process_cpu_seconds_total", { worker: "1" }) > 0);
  }
  assert.ok(performance.now() - startedAtMs < 3_000, "a scrape waits a moment for a silent worker, no longer");
});

test("what a killed worker has counted stays counted, and its gauges go", async (t) => {
  const node = await startNode({ workers: 2 }, t);
  const sockets = await connectClients(t, node);
  const before = await node.metrics();
  const lost = before.sum("limpet_connections", { worker: "0" });
  assert.ok(lost > 0 && lost < CLIENTS);
  const killed = await pidOfSlot(node, 0);
  process.kill(killed, "SIGKILL");
  await waitFor(() => sockets.filter(({ connected }) => !connected).length === lost, {
    message: "its clients to notice",
  });
  const right = await node.metrics();
  assert.equal(right.sum("limpet_sessions_opened_total"), CLIENTS);
  assert.ok(right.sum("limpet_messages_received_total") >= before.sum("limpet_messages_received_total"));
  assert.ok(right.sum("limpet_bytes_sent_total") >= before.sum("limpet_bytes_sent_total"));
  assert.equal(right.sum("limpet_connections"), CLIENTS - lost);

  await waitFor(async () => (await pidOfSlot(node, 0)) !== killed, { message: "its replacement" });
  await waitFor(async () => (await node.metrics()).find("limpet_connections", { worker: "0" }).length === 2, {
    message: "the replacement's metrics",
  });
  const after = await node.metrics();
  assert.equal(after.sum("limpet_sessions_opened_total"), CLIENTS);
  assert.equal(after.sum("limpet_connections", { worker: "0" }), 0);
  assert.equal(after.sum("limpet_worker_restarts_total", { cause: "killed" }), 1);
  assert.equal(after.sum("limpet_worker_restarts_total"), 1);
  assert.equal(after.sum("limpet_workers", { state: "ready" }), 2);
});
