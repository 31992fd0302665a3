import assert from "node:assert/strict";
import test from "node:test";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { RawConnection, rawRequest } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";
import { APP, HANDSHAKE, handshakes, handshakesOnOne, reasonOf, statuses, UPGRADE_HEADERS } from "./handshakes.js";

const REFUSALS = "limpet_front_refusals_total";

test("beyond the budget handshakes are answered 503 and counted; sessions that exist are served", async (t) => {
  const env = { LIMPET_ACCESS_HANDSHAKES_PER_SECOND: "1", LIMPET_ACCESS_MAX_WAIT_MS: "0" };
  const node = await startNode({ app: APP, workers: 2, env }, t);
  const session = await PollingSession.open(t, { port: node.port });
  const answers = await handshakes(t, node, 30);
  const refused = answers.filter(({ status }) => status === 503);
  // One a second for each worker, and this may take more than one.
  assert.ok(refused.length >= 20, JSON.stringify(statuses(answers)));
  for (const answer of refused) {
    const { headers } = answer;
    assert.equal(reasonOf(answer), "over_budget");
    assert.deepEqual(
      [headers["retry-after"], headers["connection"], headers["access-control-allow-origin"]],
      ["2", "close", "*"],
    );
  }
  const webSocket = await rawRequest(t, node.port, {
    target: HANDSHAKE.replace("polling", "websocket"),
    headers: UPGRADE_HEADERS,
  });
  assert.ok([101, 503].includes(webSocket.status));
  const counted = await node.metric(REFUSALS, { reason: "over_budget" });
  assert.equal(counted, refused.length + (webSocket.status === 503 ? 1 : 0));

  await session.joinMain();
  await session.post('420["echo","x"]');
  assert.deepEqual(await session.poll(), ['430["x"]']);
  await session.upgrade();
  assert.equal((await rawRequest(t, node.port, { target: "/app" })).status, 404, "what is no handshake is not refused");
});

test("a burst waits for its turns, evenly, and all of it gets in where the wait is short enough", async (t) => {
  const env = { LIMPET_ACCESS_HANDSHAKES_PER_SECOND: "20", LIMPET_ACCESS_MAX_WAIT_MS: "5000" };
  const node = await startNode({ app: APP, workers: 1, env }, t);
  const startedAtMs = performance.now();
  const arrivals = await Promise.all(
    Array.from({ length: 22 }, async () => {
      const { status } = await rawRequest(t, node.port, { target: HANDSHAKE });
      assert.equal(status, 200);
      return performance.now() - startedAtMs;
    }),
  );
  arrivals.sort((a, b) => a - b);
  t.diagnostic(`in after ${arrivals.map((ms) => Math.round(ms)).join(", ")} ms`);
  // Two at once, then one each 50 ms: no five come in a moment in which one is due, however late the machine is.
  assert.ok((arrivals.at(-1) ?? 0) >= 950, "the last has waited");
  for (const [i, ms] of arrivals.entries()) assert.ok(ms >= (i - 2) * 50 - 5, `${i} came after ${ms} ms`);
  assert.equal(await node.metric(REFUSALS, { reason: "over_budget" }), 0);
});

test("a client that gives up while it waits costs nothing, and a node that stops refuses those that wait", async (t) => {
  const env = { LIMPET_ACCESS_HANDSHAKES_PER_SECOND: "1", LIMPET_ACCESS_MAX_WAIT_MS: "20000" };
  const node = await startNode({ app: APP, workers: 1, env }, t);
  assert.equal((await rawRequest(t, node.port, { target: HANDSHAKE })).status, 200);
  const [gone, waiting] = [await RawConnection.open(t, node.port), await RawConnection.open(t, node.port)];
  for (const connection of [gone, waiting]) await connection.write(`GET ${HANDSHAKE} HTTP/1.1\r\nHost: a\r\n\r\n`);
  gone.close();
  for (let i = 0; i < 8; i++) {
    const next = await RawConnection.open(t, node.port);
    await next.write(`GET ${HANDSHAKE} HTTP/1.1\r\nHost: a\r\n\r\n`);
  }
  assert.equal((await waiting.readResponse()).status, 200, "whoever waits after it comes in");
  const last = await RawConnection.open(t, node.port);
  await last.write(`GET ${HANDSHAKE} HTTP/1.1\r\nHost: a\r\n\r\n`);
  // The front has read it when it has answered what came later.
  assert.equal((await rawRequest(t, node.port, { target: "/app" })).status, 404);
  const stopped = node.stop();
  assert.equal(reasonOf(await last.readResponse()), "draining");
  assert.equal((await stopped).code, 0);
});

test("on a connection that was used before a worker refuses by the same budget, with the app's CORS headers", async (t) => {
  const env = {
    LIMPET_ACCESS_HANDSHAKES_PER_SECOND: "1",
    LIMPET_ACCESS_MAX_WAIT_MS: "0",
    LIMPET_SOCKETIO_CORS: JSON.stringify({ origin: "https://example.com", credentials: true }),
  };
  const node = await startNode({ app: APP, workers: 1, env }, t);
  const answers = await handshakesOnOne(t, node, 10);
  const refused = answers.filter(({ status }) => status === 503);
  assert.equal(answers[0]?.status, 200);
  assert.ok(refused.length >= 6, JSON.stringify(statuses(answers)));
  for (const answer of refused) {
    assert.equal(reasonOf(answer), "over_budget");
    assert.equal(answer.headers["access-control-allow-origin"], "https://example.com");
    assert.ok(Number(answer.headers["retry-after"]) >= 1);
  }
  await waitFor(
    async () => (await node.metric("limpet_entry_refusals_total", { reason: "over_budget" })) === refused.length,
  );
});

test("a worker that always has more to do than time gets no new sessions until it has caught up", async (t) => {
  const node = await startNode({ app: APP, workers: 1 }, t);
  const busy = await WebSocketSession.open(t, { port: node.port });
  await busy.joinMain();
  busy.send('42["toil",7]');
  const refused = await waitFor(
    async () => {
      const answer = await rawRequest(t, node.port, { target: HANDSHAKE });
      return answer.status === 503 ? answer : undefined;
    },
    { timeoutMs: 20_000, message: "a refusal" },
  );
  assert.equal(reasonOf(refused as NonNullable<typeof refused>), "lagging");
  await waitFor(async () => (await rawRequest(t, node.port, { target: HANDSHAKE })).status === 200, {
    timeoutMs: 30_000,
    message: "the worker to take sessions again",
  });
  assert.ok((await node.metric(REFUSALS, { reason: "lagging" })) >= 1);
});

test("a node holds so many sessions, refuses more in the front and in its workers, and takes one for each that ends", async (t) => {
  const node = await startNode({ app: APP, workers: 2, env: { LIMPET_ACCESS_MAX_CONNECTIONS: "3" } }, t);
  const sessions = await Promise.all(Array.from({ length: 3 }, () => WebSocketSession.open(t, { port: node.port })));
  const [refused] = await handshakes(t, node, 1);
  assert.ok(refused !== undefined);
  assert.deepEqual([refused.status, reasonOf(refused)], [503, "full"]);
  const used = await RawConnection.open(t, node.port);
  await used.request({ target: "/app" });
  // Its workers are told when the front has refused the first.
  await waitFor(async () => {
    const onUsed = await used.request({ target: HANDSHAKE });
    return onUsed.status === 503 && reasonOf(onUsed) === "full";
  });
  assert.ok((await node.metric("limpet_entry_refusals_total", { reason: "full" })) >= 1);
  await Promise.all(sessions.map((session) => session.close()));
  await waitFor(async () => (await rawRequest(t, node.port, { target: HANDSHAKE })).status === 200, {
    message: "a place to be free",
  });
});
