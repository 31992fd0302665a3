/**
 * A worker that stands still under 500 stock clients, longer than the ping timeout: it closes none of them. Some close by themselves, for a stock client
 * waits for a ping no longer than interval and timeout together; those are counted apart, and come back.
 */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { WebSocketSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { Crowd } from "../storm/crowd.js";
import type { CrowdReport } from "../storm/messages.js";

const STOCK = 500;
const PLAIN = 20;
const SILENT = 20;
const PING_INTERVAL_MS = 2_500;
const PING_TIMEOUT_MS = 3_000;
const LONG_MS = 60_000;

/** A client without a timer of its own: it answers pings, however late they are, or none. */
async function plainClient(t: TestContext, port: number, answers: boolean): Promise<WebSocketSession> {
  const session = await WebSocketSession.open(t, { port });
  await session.joinMain();
  if (answers) session.socket.on("message", (data: Buffer) => data.toString() === "2" && session.send("3"));
  return session;
}

const plainClients = async (
  t: TestContext,
  port: number,
  count: number,
  answers: boolean,
): Promise<WebSocketSession[]> => Promise.all(Array.from({ length: count }, () => plainClient(t, port, answers)));

/** Returns once the worker moves again. */
async function standStill(session: WebSocketSession, ms: number): Promise<void> {
  session.send(`420["stand still",${ms}]`);
  while ((await session.next(ms + LONG_MS)) !== "430[]");
}

/** Once all are connected; again, those that went. */
async function settled(crowd: Crowd): Promise<CrowdReport> {
  let report: CrowdReport | undefined;
  await waitFor(async () => (report = await crowd.report()).connected === STOCK, {
    timeoutMs: LONG_MS,
    message: "all",
  });
  return report as unknown as CrowdReport;
}

test("a worker that stands still closes no healthy client, and those that are silent all the same", async (t) => {
  const env = {
    LIMPET_SOCKETIO_PING_INTERVAL: String(PING_INTERVAL_MS),
    LIMPET_SOCKETIO_PING_TIMEOUT: String(PING_TIMEOUT_MS),
  };
  const node = await startNode({ app: "test/heartbeat/app.mjs", workers: 1, env }, t);
  const timeouts = async (cause: string): Promise<number> => node.metric("limpet_ping_timeouts_total", { cause });
  const crowd = await Crowd.start(t, {
    url: node.url,
    count: STOCK,
    spreadMs: PING_INTERVAL_MS,
    reconnectionDelayMaxMs: 1_000,
    transports: ["websocket"],
  });
  crowd.connect();
  const plain = await plainClients(t, node.port, PLAIN, true);
  const [first] = plain;
  assert.ok(first !== undefined);
  await settled(crowd);

  await standStill(first, 1.5 * PING_TIMEOUT_MS);
  const { disconnects } = await settled(crowd);
  assert.deepEqual(
    disconnects.filter((reason) => !reason.startsWith("ping timeout")),
    [],
    "closed by the server",
  );
  t.diagnostic(`1.5 times pingTimeout: of ${STOCK} the server closed 0, ${disconnects.length} closed by themselves`);

  const silent = await plainClients(t, node.port, SILENT, false);
  await standStill(first, PING_INTERVAL_MS + PING_TIMEOUT_MS + 1_000);
  await waitFor(() => silent.every(({ closed }) => closed), { timeoutMs: LONG_MS, message: "the silent ones" });
  assert.equal(plain.filter(({ closed }) => closed).length, 0, "clients without a timer");
  await waitFor(async () => (await timeouts("client_gone")) === SILENT);
  assert.equal(await timeouts("server_late"), 0);
  await settled(crowd);
});
