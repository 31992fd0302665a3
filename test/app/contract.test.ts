import assert from "node:assert/strict";
import test, { after } from "node:test";
import { io as connect, type Socket } from "socket.io-client";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

const node = await startNode(
  {
    app: "test/app/fixtures/whole.ts",
    workers: 2,
    args: ["--node-id", "5"],
    env: { LIMPET_SOCKETIO_PING_INTERVAL: "12345" },
  },
  { after },
);

function open(t: test.TestContext, namespace = "/", auth: Record<string, string> = {}): Socket {
  const socket = connect(node.url + namespace, {
    transports: ["websocket"],
    forceNew: true,
    reconnection: false,
    auth,
  });
  t.after(() => void socket.close());
  return socket;
}

const joined = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once("connect", resolve));
const refused = (socket: Socket): Promise<Error & { data?: unknown }> =>
  new Promise((resolve) => socket.once("connect_error", resolve));

/** A client on each of the two workers. */
async function oneOnEach(t: test.TestContext): Promise<Socket[]> {
  const bySlot = new Map<number, Socket>();
  while (bySlot.size < 2) {
    const socket = open(t);
    await joined(socket);
    bySlot.set(((await socket.emitWithAck("about")) as { worker: { slot: number } }).worker.slot, socket);
  }
  return [...bySlot.values()];
}

test("middlewares of the server, of a namespace, of a socket and of the engine take part", async (t) => {
  const socket = open(t);
  await joined(socket);
  const wrong = await refused(open(t, "/", { token: "wrong" }));
  assert.deepEqual([wrong.message, wrong.data], ["no entry", { reason: "token" }]);
  assert.equal((await refused(open(t, "/admin"))).message, "closed");
  const refusal = new Promise((resolve) => socket.once("refused", resolve));
  socket.emit("forbidden");
  assert.equal(await refusal, "not that one");
  const response = await fetch(`${node.url}/socket.io/?EIO=4&transport=polling`);
  assert.equal(response.headers.get("x-app-engine"), "yes");
  assert.match(response.headers.get("x-app-worker") ?? "", /^[01]$/);
});

test("the app knows its node, its worker and the configuration, which it cannot change", async (t) => {
  const workers = await node.workers();
  for (const socket of await oneOnEach(t)) {
    const about = (await socket.emitWithAck("about")) as Record<string, unknown> & {
      worker: { slot: number; pid: number };
    };
    assert.equal(about["node"], 5);
    assert.equal(about["pid"], about.worker.pid);
    assert.equal(workers.find(({ slot }) => slot === about.worker.slot)?.pid, about.worker.pid);
    assert.equal(about["pingInterval"], 12_345);
    assert.equal(about["httpServerListens"], true);
    assert.ok(Number(about["clients"]) >= 1);
    assert.equal(await socket.emitWithAck("change the configuration"), "TypeError");
  }
});

test("the app's metrics are scraped with limpet's, summed over the workers, and its log lines carry node and worker", async (t) => {
  const sockets = await oneOnEach(t);
  for (const [i, socket] of sockets.entries()) {
    for (let n = 0; n <= i; n++) {
      const slot: unknown = await socket.emitWithAck("order", "tea");
      const line = await node.waitForLog(({ msg, worker }) => msg === "order taken" && worker === slot);
      assert.deepEqual([line.node, line["kind"], line.level], [5, "tea", "info"]);
    }
  }
  const scrape = await node.metrics();
  assert.equal(scrape.sum("app_orders_total", { kind: "tea" }), 3);
  assert.equal(scrape.find("app_orders_total").length, 1, "one series, not one for each worker");
  assert.equal(scrape.sum("app_tables"), 6);
});

test("an app's listener takes what is not Socket.IO's; one that throws or rejects answers 500, is counted, and costs no worker", async () => {
  assert.equal(await (await fetch(`${node.url}/any/path?sid=x`)).text(), "path /any/path?sid=x");
  const before = await node.metric("limpet_app_errors_total");
  const pids = (await node.workers()).map(({ pid }) => pid);
  for (const path of ["/throws", "/rejects"]) {
    const response = await fetch(node.url + path);
    assert.deepEqual([response.status, await response.text()], [500, "Internal server error\n"]);
  }
  await assert.rejects(
    async () => (await fetch(`${node.url}/half`)).text(),
    "half an answer does not look like a whole one",
  );
  assert.equal((await node.metric("limpet_app_errors_total")) - before, 3);
  for (const reason of ["the listener threw", "the listener rejected", "the listener rejected in the middle"])
    assert.ok(
      node.logs().some(({ level, err }) => level === "error" && (err as Error | undefined)?.message === reason),
      reason,
    );
  assert.deepEqual(
    (await node.workers()).map(({ pid }) => pid),
    pids,
  );
});

test("the client's files are served, and revalidated by their ETag", async () => {
  for (const file of ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"]) {
    const url = `${node.url}/socket.io/${file}`;
    const first = await fetch(url);
    assert.equal(first.status, 200);
    assert.match(first.headers.get("content-type") ?? "", /javascript/);
    assert.match(await first.text(), /Socket\.IO/);
    const etag = first.headers.get("etag");
    assert.ok(etag !== null);
    assert.equal((await fetch(url, { headers: { "If-None-Match": etag } })).status, 304);
  }
});

test("io.close() disconnects this worker's clients, and no one else's", async (t) => {
  const [one, other] = await oneOnEach(t);
  assert.ok(one !== undefined && other !== undefined);
  let otherClosed = false;
  other.once("disconnect", () => (otherClosed = true));
  const closed = new Promise((resolve) => one.once("disconnect", resolve));
  one.emit("close everything");
  await closed;
  assert.equal(typeof (await other.emitWithAck("about")), "object");
  assert.equal(otherClosed, false);
  await waitFor(async () => (await node.metric("limpet_workers", { state: "ready" })) === 2);
});
