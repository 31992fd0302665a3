/** A worker that stood still reads the pongs that wait for it before it closes anybody; clients that are really gone are closed all the same. */
import assert from "node:assert/strict";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import test, { type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { killGroup, startGroup } from "../support/children.js";
import { WebSocketSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

const CLIENTS = 40;
const HEARTBEAT = { pingInterval: 400, pingTimeout: 1_000 };
/** Longer than the timeout: every pong that it catches is late. */
const STALL_MS = 1_500;
/** How long after the first ping of a round the worker stands still: the others' have come by then, and nobody's time is up yet. */
const GATHER_MS = 250;
/** How long after the worker's word that it stands still the pongs are sent: no turn of its loop is left to read them in. */
const INTO_STALL_MS = 100;

interface Client {
  readonly webSocket: WebSocket;
  /** A ping came, and its pong is held back. */
  pinged: boolean;
  /** The worker stands still from now on. */
  told: boolean;
  closed: boolean;
}

/** Answers pings when it is told to; does not go by itself, however late they are. */
async function connect(t: TestContext, port: number): Promise<Client> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => webSocket.terminate());
  const client: Client = { webSocket, pinged: false, told: false, closed: false };
  let joined = false;
  webSocket.on("message", (data: Buffer) => {
    const text = data.toString();
    if (text.startsWith("0")) webSocket.send("40");
    else if (text.startsWith("40")) joined = true;
    else if (text === "2") client.pinged = true;
    else if (text.startsWith("42")) client.told = true;
  });
  webSocket.on("close", () => (client.closed = true));
  webSocket.on("error", () => (client.closed = true));
  await once(webSocket, "open");
  await waitFor(() => joined);
  return client;
}

/** Stalls the server again and again, each time while pongs are on their way. @returns how many clients were closed */
async function stall(clients: readonly Client[]): Promise<number> {
  for (let round = 0; round < 4; round++) {
    const alive = clients.filter(({ closed }) => !closed);
    if (alive.length === 0) break;
    await waitFor(() => alive.some(({ pinged }) => pinged), { timeoutMs: 20_000 });
    const first = alive.find(({ pinged }) => pinged);
    assert.ok(first !== undefined);
    const gatheredAtMs = performance.now() + GATHER_MS;
    await waitFor(() => alive.every(({ pinged }) => pinged) || performance.now() > gatheredAtMs);
    first.told = false;
    first.webSocket.send(`42["block",${STALL_MS}]`);
    await waitFor(() => first.told || first.closed);
    await delay(INTO_STALL_MS);
    for (const client of alive) {
      if (!client.pinged) continue;
      client.pinged = false;
      client.webSocket.send("3");
    }
    // Each one that is left is pinged once more: what became of it is known then.
    await waitFor(() => clients.every(({ pinged, closed }) => pinged || closed), { timeoutMs: 20_000 });
  }
  return clients.filter(({ closed }) => closed).length;
}

async function startStock(t: TestContext): Promise<number> {
  const script = path.join(import.meta.dirname, "stock.mjs");
  const args = [script, String(HEARTBEAT.pingInterval), String(HEARTBEAT.pingTimeout)];
  const child = startGroup(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => killGroup(child.pid));
  const [line] = (await once(createInterface({ input: child.stdout as Readable }), "line")) as [string];
  return Number(line);
}

const connectAll = async (t: TestContext, port: number): Promise<Client[]> =>
  Promise.all(Array.from({ length: CLIENTS }, () => connect(t, port)));

test("a stock server closes clients whose pongs wait while it stands still; limpet closes none", async (t) => {
  const env = {
    LIMPET_SOCKETIO_PING_INTERVAL: String(HEARTBEAT.pingInterval),
    LIMPET_SOCKETIO_PING_TIMEOUT: String(HEARTBEAT.pingTimeout),
  };
  const node = await startNode({ app: "test/heartbeat/app.mjs", workers: 1, env }, t);
  const lost = await stall(await connectAll(t, node.port));
  const lostByStock = await stall(await connectAll(t, await startStock(t)));
  t.diagnostic(`closed after four stalls of ${STALL_MS} ms, of ${CLIENTS}: stock ${lostByStock}, limpet ${lost}`);
  assert.equal(lost, 0);
  assert.ok(lostByStock > 0, "the stock server shows the fault");
});

test("a client that answers no ping is closed, and counted as gone", async (t) => {
  const env = { LIMPET_SOCKETIO_PING_INTERVAL: "200", LIMPET_SOCKETIO_PING_TIMEOUT: "300" };
  const node = await startNode({ app: "test/heartbeat/app.mjs", workers: 1, env }, t);
  const session = await WebSocketSession.open(t, { port: node.port });
  await session.joinMain();
  await waitFor(() => session.closed);
  await waitFor(async () => (await node.metric("limpet_ping_timeouts_total")) === 1);
});
