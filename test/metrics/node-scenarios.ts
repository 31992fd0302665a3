/** Workers among themselves, and their ends. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PollingSession } from "../support/engine-client.js";
import type { NodeOptions, TestNode } from "../support/node.js";
import { RawConnection, rawRequest, requestBytes } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";
import { call, openClient, openPair, pidOf, slotOf } from "./clients.js";
import type { Group, Scenario } from "./scenario.js";

const APP = "test/metrics/app.ts";
const MAX_QUEUE_BYTES = 100_000;
const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";

const hub: readonly Scenario[] = [
  {
    name: "a message goes to a worker with members",
    moves: [
      { name: "limpet_hub_messages_total", labels: { outcome: "received" }, by: 1 },
      { name: "limpet_hub_messages_total", labels: { outcome: "forwarded" }, by: 1 },
      { name: "limpet_hub_messages_total", labels: { outcome: "skipped" }, by: 0 },
    ],
    run: async (node, t) => {
      const [speaker, listener] = await openPair(t, node);
      await call(listener, "join", "here");
      await call(speaker, "publish", "here", "hello");
      assert.equal(await listener.next(), '42["published","hello"]');
    },
  },
  {
    name: "a message is spared to a worker without members",
    moves: [
      { name: "limpet_hub_messages_total", labels: { outcome: "received" }, by: 1 },
      { name: "limpet_hub_messages_total", labels: { outcome: "forwarded" }, by: 0 },
      { name: "limpet_hub_messages_total", labels: { outcome: "skipped" }, by: 1 },
    ],
    run: async (node, t) => call(await openClient(t, node), "publish", "nowhere", "hello"),
  },
  {
    name: "a client opens one namespace too many",
    moves: [{ name: "limpet_hub_messages_total", labels: { outcome: "rejected" }, by: 1 }],
    run: async (node, t) => {
      const session = await openClient(t, node);
      session.send("40/n1,");
      assert.match(String(await session.next()), /^40\/n1,\{"sid"/);
      session.send("40/n2,");
      assert.match(String(await session.next()), /^44\/n2,\{"message":"Invalid namespace"/);
    },
  },
  {
    name: "a worker does not read while others send it more than its queue holds",
    moves: [
      { name: "limpet_hub_messages_total", labels: { outcome: "dropped" } },
      { name: "limpet_hub_queue_bytes", atLeast: MAX_QUEUE_BYTES },
    ],
    run: async (node, t) => {
      const [speaker, listener] = await openPair(t, node);
      await call(listener, "join", "busy");
      const pid = await pidOf(node, slotOf(listener.sid));
      process.kill(pid, "SIGSTOP");
      t.after(() => process.kill(pid, "SIGCONT"));
      for (let i = 0; i < 30; i++) await call(speaker, "publish", "busy", "x".repeat(50_000));
    },
  },
  {
    name: "a connection that is kept alive brings a request for a session of another worker",
    moves: [{ name: "limpet_rescues_total", labels: { target: "worker", outcome: "forwarded" }, by: 1 }],
    run: async (node, t) => {
      const { connection, other } = await strayConnection(node, t);
      assert.equal((await connection.request({ target: other.target, body: "40" })).text, "ok");
    },
  },
  {
    name: "such a request comes while nobody knows that the other worker has ended",
    moves: [
      { name: "limpet_rescues_total", labels: { target: "worker", outcome: "unknown" }, by: 1 },
      { name: "limpet_worker_restarts_total", labels: { cause: "killed" }, by: 1 },
    ],
    run: async (node, t) => {
      const { connection, other } = await strayConnection(node, t);
      const pid = await pidOf(node, slotOf(other.sid));
      node.signal("SIGSTOP");
      process.kill(pid, "SIGKILL");
      try {
        assert.equal((await connection.request({ target: other.target })).status, 503);
      } finally {
        node.signal("SIGCONT");
      }
    },
  },
];

const restarts: readonly Scenario[] = [
  {
    name: "the app throws what nobody catches",
    moves: [{ name: "limpet_worker_restarts_total", labels: { cause: "crash" }, by: 1 }],
    run: async (node, t) => {
      (await openClient(t, node)).send('42["throw"]');
      await readyAgain(node, 2);
    },
  },
  {
    name: "a worker stands still for too long",
    moves: [{ name: "limpet_worker_restarts_total", labels: { cause: "hang" }, by: 1 }],
    run: async (node) => {
      process.kill(await pidOf(node, 0), "SIGSTOP");
      await readyAgain(node, 3);
    },
  },
  {
    name: "more connections come than may wait for a worker",
    moves: [{ name: "limpet_front_refusals_total", labels: { reason: "overloaded" } }],
    run: async (node, t) => {
      const pid = await pidOf(node, 0);
      process.kill(pid, "SIGSTOP");
      // One is on its way, one may wait.
      const connections = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open(t, node.port)));
      for (const connection of connections) await connection.write(requestBytes({ target: HANDSHAKE }));
      await waitFor(() => connections.some(({ received }) => received.includes("503 Service Unavailable")));
      process.kill(pid, "SIGCONT");
    },
  },
];

const noSecondStart: readonly Scenario[] = [
  {
    name: "a worker that was killed is started again",
    moves: [
      { name: "limpet_workers", labels: { state: "ready" }, by: -1 },
      { name: "limpet_workers", labels: { state: "starting" }, by: 1 },
    ],
    run: async (node) => void process.kill(await pidOf(node, 1), "SIGKILL"),
  },
  {
    name: "a request comes for a session of a worker that has ended",
    moves: [{ name: "limpet_rescues_total", labels: { target: "worker", outcome: "gone" }, by: 1 }],
    run: async (node, t) => {
      const session = await PollingSession.open(t, { port: node.port });
      assert.equal(slotOf(session.sid), 0);
      // A session id of slot 1.
      const target = session.target.replace(session.sid, `AAB${session.sid.slice(3)}`);
      const response = await session.pollConnection.request({ target });
      assert.equal(response.status, 400);
      assert.match(response.text, /Session ID unknown/);
    },
  },
  {
    name: "a worker is not ready in time",
    moves: [{ name: "limpet_worker_restarts_total", labels: { cause: "not_ready" } }],
    run: async (node) => void (await node.waitForLog(({ msg }) => msg.includes("not ready in time"), 60_000)),
  },
  {
    name: "no worker is left",
    moves: [{ name: "limpet_front_refusals_total", labels: { reason: "no_worker" }, by: 1 }],
    run: async (node, t) => {
      process.kill(await pidOf(node, 0), "SIGKILL");
      await node.waitForLog(({ msg, slot }) => msg === "worker ended unexpectedly" && slot === 0);
      assert.equal((await rawRequest(t, node.port, { target: HANDSHAKE })).status, 503);
    },
  },
];

const crashLoop: readonly Scenario[] = [
  {
    name: "a worker that ends again and again is started at growing intervals",
    moves: [{ name: "limpet_workers", labels: { state: "backing_off" }, by: 1 }],
    run: async (node) => void process.kill(await pidOf(node, 1), "SIGKILL"),
  },
];

const stop: readonly Scenario[] = [
  {
    name: "a node stops: one worker has ended, one is busy",
    moves: [
      { name: "limpet_workers", labels: { state: "draining" }, by: 1 },
      { name: "limpet_workers", labels: { state: "stopped" }, by: 1 },
      { name: "limpet_front_refusals_total", labels: { reason: "draining" }, by: 1 },
    ],
    run: async (node, t) => {
      const half = await RawConnection.open(t, node.port);
      await half.write("GET /half");
      // The front has read it, for it has read what came later.
      await openClient(t, node);
      const pid = await pidOf(node, 0);
      process.kill(pid, "SIGSTOP");
      node.signal("SIGTERM");
      await waitFor(async () => (await fetch(`${node.opsUrl}/readyz`)).status === 503, { message: "readiness to go" });
      await half.write(" HTTP/1.1\r\n\r\n");
      assert.match((await half.readResponse()).text, /shutting down/);
    },
  },
];

/** A keep-alive connection to one worker, and a session on another. */
async function strayConnection(
  node: TestNode,
  t: Parameters<Scenario["run"]>[1],
): Promise<{ connection: RawConnection; other: PollingSession }> {
  const here = await PollingSession.open(t, { port: node.port });
  const candidates = [
    await PollingSession.open(t, { port: node.port }),
    await PollingSession.open(t, { port: node.port }),
  ];
  const other = candidates.find(({ sid }) => slotOf(sid) !== slotOf(here.sid));
  assert.ok(other !== undefined, "three sessions are on two workers");
  return { connection: here.pollConnection, other };
}

/** Waits for the worker with that number. */
async function readyAgain(node: TestNode, wid: number): Promise<void> {
  await node.waitForLog(({ msg, wid: ready }) => msg === "worker ready" && ready === wid);
}

function secondStart(how: "hang" | "throw"): NodeOptions {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-markers-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return {
    app: APP,
    workers: 2,
    env: { TEST_MARKERS: folder, TEST_SECOND_START: how, LIMPET_SUPERVISOR_READY_TIMEOUT_MS: "12000" },
  };
}

export const nodeGroups: readonly Group[] = [
  {
    node: {
      app: APP,
      workers: 2,
      env: { LIMPET_HUB_MAX_QUEUE_BYTES: String(MAX_QUEUE_BYTES), LIMPET_HUB_MAX_NAMESPACES: "2" },
    },
    scenarios: hub,
  },
  {
    node: {
      app: APP,
      workers: 1,
      env: {
        LIMPET_SOCKETIO_PING_INTERVAL: "1000",
        LIMPET_SOCKETIO_PING_TIMEOUT: "1500",
        LIMPET_SUPERVISOR_HANG_TIMEOUT_MS: "3000",
        LIMPET_FRONT_MAX_PENDING_HANDOFFS: "1",
      },
    },
    scenarios: restarts,
  },
  { node: secondStart("hang"), scenarios: noSecondStart },
  { node: secondStart("throw"), scenarios: crashLoop },
  { node: { app: APP, workers: 2 }, scenarios: stop },
];
