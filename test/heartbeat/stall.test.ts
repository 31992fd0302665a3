/** A worker that stood still reads the pongs that wait for it before it closes anybody; clients that are really gone are closed all the same. */
import assert from "node:assert/strict";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import test, { type TestContext } from "node:test";
import { WebSocket } from "ws";
import { killGroup, startGroup } from "../support/children.js";
import { WebSocketSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

const CLIENTS = 40;
const HEARTBEAT = { pingInterval: 400, pingTimeout: 600 };
/** Longer than the timeout: every pong that it catches is late. */
const STALL_MS = 900;

interface Client {
  readonly webSocket: WebSocket;
  pings: number;
  closed: boolean;
}

/** Answers pings; does not go by itself, however late they are. */
async function connect(t: TestContext, port: number): Promise<Client> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => webSocket.terminate());
  const client: Client = { webSocket, pings: 0, closed: false };
  let joined = false;
  webSocket.on("message", (data: Buffer) => {
    const text = data.toString();
    if (text.startsWith("0")) webSocket.send("40");
    else if (text.startsWith("40")) joined = true;
    else if (text === "2") {
      client.pings++;
      webSocket.send("3");
    }
  });
  webSocket.on("close", () => (client.closed = true));
  webSocket.on("error", () => (client.closed = true));
  await once(webSocket, "open");
  await waitFor(() => joined);
  return client;
}

/** Stalls the server again and again, each time when pings are on their way. @returns how many clients were closed */
async function stall(clients: readonly Client[]): Promise<number> {
  for (let round = 0; round < 4; round++) {
    const before = clients.map(({ pings }) => pings);
    const alive = (): Client | undefined => clients.find(({ closed }) => !closed);
    alive()?.webSocket.send(`42["block",${STALL_MS}]`);
    await waitFor(() => clients.every(({ pings, closed }, i) => closed || pings > (before[i] ?? 0)), {
      timeoutMs: 20_000,
    });
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
