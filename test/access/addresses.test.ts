import assert from "node:assert/strict";
import test from "node:test";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { startNode, type TestNode } from "../support/node.js";
import { rawRequest, type RawResponse } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";
import { APP, HANDSHAKE, handshakes, reasonOf, statuses, UPGRADE_HEADERS } from "./handshakes.js";

const from = (address: string): { readonly "X-Forwarded-For": string } => ({ "X-Forwarded-For": address });
const enter = (t: test.TestContext, node: TestNode, address: string): Promise<RawResponse> =>
  rawRequest(t, node.port, { target: HANDSHAKE, headers: from(address) });

test("an address that connects by itself is refused in the front, whatever it writes into its headers", async (t) => {
  const node = await startNode({ app: APP, workers: 2, env: { LIMPET_ACCESS_ADDRESS_SESSIONS: "3" } }, t);
  const sessions = await Promise.all(Array.from({ length: 3 }, () => WebSocketSession.open(t, { port: node.port })));
  const refused = await enter(t, node, "198.51.100.7");
  assert.deepEqual([refused.status, reasonOf(refused)], [429, "address"]);
  assert.ok(refused.headers["retry-after"] !== undefined);
  assert.equal(await node.metric("limpet_front_refusals_total", { reason: "address" }), 1);
  await sessions[0]?.close();
  await waitFor(async () => (await enter(t, node, "198.51.100.7")).status === 200, { message: "the place to be free" });
});

test("behind a trusted proxy each client has the limit for itself; handshakes that fail and workers that end give places back", async (t) => {
  const env = {
    LIMPET_ACCESS_ADDRESS_SESSIONS: "2",
    LIMPET_ACCESS_TRUSTED_PROXIES: "127.0.0.0/8,::1",
    LIMPET_SOCKETIO_CORS: JSON.stringify({ origin: "https://example.com" }),
  };
  const node = await startNode({ app: APP, workers: 2, env }, t);
  const bad = { target: HANDSHAKE.replace("EIO=4", "EIO=3"), headers: from("198.51.100.7") };
  for (let i = 0; i < 5; i++) assert.equal((await rawRequest(t, node.port, bad)).status, 400);

  const options = { port: node.port, headers: from("198.51.100.7") };
  const polling = await PollingSession.open(t, options);
  const webSocket = await WebSocketSession.open(t, options);
  const refused = await enter(t, node, "1.1.1.1, 198.51.100.7");
  const { code, message, retryAfterMs } = JSON.parse(refused.text) as Record<string, unknown>;
  assert.deepEqual([refused.status, code], [429, "address_sessions"]);
  assert.match(String(message), /Too many sessions/);
  assert.ok(Number(retryAfterMs) > 0 && Number(refused.headers["retry-after"]) > 0);
  assert.equal(refused.headers["access-control-allow-origin"], "https://example.com");
  const target = HANDSHAKE.replace("polling", "websocket");
  const upgrade = await rawRequest(t, node.port, { target, headers: { ...UPGRADE_HEADERS, ...from("198.51.100.7") } });
  assert.deepEqual([upgrade.status, reasonOf(upgrade)], [429, "address_sessions"]);
  assert.equal((await enter(t, node, "198.51.100.8")).status, 200, "a neighbour is let in");
  assert.equal(await node.metric("limpet_entry_refusals_total", { reason: "address_sessions" }), 2);

  await webSocket.close();
  await waitFor(async () => (await enter(t, node, "198.51.100.7")).status === 200, { message: "the place to be free" });
  await polling.joinMain();
  for (const { pid } of await node.workers()) process.kill(pid, "SIGKILL");
  await waitFor(async () => (await enter(t, node, "198.51.100.7")).status === 200, {
    message: "the places to be free",
  });
});

test("an address opens so many sessions in a minute", async (t) => {
  const env = {
    LIMPET_ACCESS_ADDRESS_SESSIONS_PER_MINUTE: "4",
    LIMPET_ACCESS_TRUSTED_PROXIES: "127.0.0.1",
  };
  const node = await startNode({ app: APP, workers: 2, env }, t);
  const answers = await handshakes(t, node, 10, from("2001:db8:1:2::3"));
  assert.deepEqual(statuses(answers), { 200: 4, 429: 6 });
  const other = await enter(t, node, "2001:db8:1:2:ffff::1");
  assert.deepEqual([other.status, reasonOf(other)], [429, "address_rate"], "a /64 is one address");
  assert.equal((await enter(t, node, "2001:db8:1:3::1")).status, 200);
  assert.equal(await node.metric("limpet_entry_refusals_total", { reason: "address_rate" }), 7);
});
