/** Who may not enter: too many at once, too many at all, a worker that is late, an address, a user. */
import assert from "node:assert/strict";
import { io } from "socket.io-client";
import { WebSocketSession } from "../support/engine-client.js";
import { rawRequest, RawConnection } from "../support/raw-http.js";
import { waitFor, within } from "../support/wait.js";
import type { Group, Scenario } from "./scenario.js";

const APP = "test/access/app.ts";
const HANDSHAKE = { target: "/socket.io/?EIO=4&transport=polling" };
const FRONT = "limpet_front_refusals_total";
const WORKER = "limpet_entry_refusals_total";
type Run = Scenario["run"];

const budget: readonly Scenario[] = [
  {
    name: "handshakes come faster than the budget allows",
    moves: [
      { name: FRONT, labels: { reason: "over_budget" } },
      { name: WORKER, labels: { reason: "over_budget" } },
    ],
    run: async (node, t) => {
      const used = await usedConnection(t, node);
      await waitFor(async () => (await rawRequest(t, node.port, HANDSHAKE)).status === 503);
      await waitFor(async () => (await used.request(HANDSHAKE)).status === 503);
    },
  },
];

const late: readonly Scenario[] = [
  {
    name: "a worker always has more to do than time",
    moves: [
      { name: FRONT, labels: { reason: "lagging" } },
      { name: WORKER, labels: { reason: "lagging" } },
    ],
    run: async (node, t) => {
      const used = await usedConnection(t, node);
      const busy = await WebSocketSession.open(t, { port: node.port });
      await busy.joinMain();
      busy.send('42["toil",10]');
      const refused = { front: false, worker: false };
      await waitFor(
        async () => {
          refused.front ||= (await rawRequest(t, node.port, HANDSHAKE)).status === 503;
          refused.worker ||= (await used.request(HANDSHAKE)).status === 503;
          return refused.front && refused.worker;
        },
        { timeoutMs: 30_000 },
      );
    },
  },
];

const full: readonly Scenario[] = [
  {
    name: "the node is full",
    moves: [
      { name: FRONT, labels: { reason: "full" } },
      { name: WORKER, labels: { reason: "full" } },
    ],
    run: async (node, t) => {
      await WebSocketSession.open(t, { port: node.port });
      const used = await usedConnection(t, node);
      assert.equal((await rawRequest(t, node.port, HANDSHAKE)).status, 503);
      await waitFor(async () => (await used.request(HANDSHAKE)).status === 503);
    },
  },
];

const addresses: readonly Scenario[] = [
  {
    name: "an address has as many sessions as it may",
    moves: [{ name: FRONT, labels: { reason: "address" }, by: 1 }],
    run: async (node, t) => {
      await WebSocketSession.open(t, { port: node.port });
      assert.equal((await rawRequest(t, node.port, HANDSHAKE)).status, 429);
    },
  },
];

const behindProxies: readonly Scenario[] = [
  {
    name: "an address behind a proxy has as many sessions as it may",
    moves: [{ name: WORKER, labels: { reason: "address_sessions" }, by: 1 }],
    run: behindProxy("198.51.100.7", 2),
  },
  {
    name: "an address opens sessions too fast",
    moves: [{ name: WORKER, labels: { reason: "address_rate" }, by: 1 }],
    run: async (node, t) => {
      const headers = { "X-Forwarded-For": "198.51.100.8" };
      for (let i = 0; i < 3; i++) {
        const session = await WebSocketSession.open(t, { port: node.port, headers });
        await session.close();
        await waitFor(async () => (await node.workers())[0]?.sessions === 0);
      }
      assert.equal((await rawRequest(t, node.port, { ...HANDSHAKE, headers })).status, 429);
    },
  },
];

const users: readonly Scenario[] = [
  {
    name: "a user connects too often",
    moves: [{ name: WORKER, labels: { reason: "user_rate" }, by: 1 }],
    run: async (node, t) => {
      for (const wanted of ["connect", "connect_error"]) {
        const client = io(node.url, {
          auth: { user: "ada" },
          reconnection: false,
          forceNew: true,
          transports: ["websocket"],
        });
        t.after(() => void client.close());
        await within(new Promise((resolve) => client.once(wanted, resolve)), 20_000, wanted);
        client.close();
      }
    },
  },
];

function behindProxy(address: string, refusedAt: number): Run {
  return async (node, t) => {
    const headers = { "X-Forwarded-For": address };
    for (let i = 1; i < refusedAt; i++) await WebSocketSession.open(t, { port: node.port, headers });
    assert.equal((await rawRequest(t, node.port, { ...HANDSHAKE, headers })).status, 429);
  };
}

/** A connection on which the front has nothing more to say. */
async function usedConnection(t: Parameters<Run>[1], node: Parameters<Run>[0]): Promise<RawConnection> {
  const connection = await RawConnection.open(t, node.port);
  assert.equal((await connection.request({ target: "/app" })).status, 404);
  return connection;
}

const withEnv = (env: Readonly<Record<string, string>>): Group["node"] => ({ app: APP, workers: 1, env });

export const entryGroups: readonly Group[] = [
  {
    node: withEnv({ LIMPET_ACCESS_HANDSHAKES_PER_SECOND: "1", LIMPET_ACCESS_MAX_WAIT_MS: "0" }),
    scenarios: budget,
  },
  { node: withEnv({}), scenarios: late },
  { node: withEnv({ LIMPET_ACCESS_MAX_CONNECTIONS: "1" }), scenarios: full },
  { node: withEnv({ LIMPET_ACCESS_ADDRESS_SESSIONS: "1" }), scenarios: addresses },
  {
    node: withEnv({
      LIMPET_ACCESS_TRUSTED_PROXIES: "127.0.0.1",
      LIMPET_ACCESS_ADDRESS_SESSIONS: "1",
      LIMPET_ACCESS_ADDRESS_SESSIONS_PER_MINUTE: "3",
    }),
    scenarios: behindProxies,
  },
  { node: withEnv({ LIMPET_ACCESS_USER_CONNECTS_PER_MINUTE: "1" }), scenarios: users },
];
