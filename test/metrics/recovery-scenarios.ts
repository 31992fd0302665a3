/** Clients that come back, and what becomes of them. Nodes of two workers, with recovery. */
import assert from "node:assert/strict";
import { RawClient } from "../recovery/raw-client.js";
import type { TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import type { Group, Move, Scenario } from "./scenario.js";

const APP = "test/recovery/app.ts";
const AWAY_MS = 3_000;
const MAX_LOG_BYTES = 100_000;
const MAX_MISSED_BYTES = 20_000;
const MAX_DATA_BYTES = 1_000;
const MAX_SESSIONS = 2;

type Scope = Parameters<Scenario["run"]>[1];

const outcome = (name: string): Move => ({ name: "limpet_recoveries_total", labels: { outcome: name }, by: 1 });

async function connected(t: Scope, node: TestNode, slot = 0): Promise<RawClient> {
  const client = new RawClient(t, { port: node.port });
  await client.connect({ slot });
  return client;
}

async function away(node: TestNode, count: number): Promise<void> {
  await waitFor(async () => (await node.metric("limpet_recovery_sessions", { state: "away" })) === count, {
    message: `${count} sessions to be away`,
  });
}

async function startsAnew(client: RawClient, slot = 1): Promise<void> {
  client.cut();
  await client.connect({ slot });
  assert.equal(client.recovered, false);
}

const comingBack: readonly Scenario[] = [
  {
    name: "a client comes back to its session and gets what it has missed",
    moves: [
      outcome("recovered"),
      { name: "limpet_recovery_sessions", labels: { state: "connected" }, by: 1 },
      { name: "limpet_recovery_session_bytes" },
      { name: "limpet_recovery_log_entries", by: 1 },
      { name: "limpet_recovery_log_bytes", atLeast: 100 },
    ],
    run: async (node, t) => {
      const client = await connected(t, node);
      client.cut();
      const other = await connected(t, node, 1);
      await other.call("publish", client.id, ["hello"]);
      other.emit("end");
      await client.connect({ slot: 1 });
      await client.count(1);
      assert.equal(client.recovered, true);
    },
  },
  {
    name: "a client goes and does not come back in time",
    moves: [outcome("expired")],
    run: async (node, t) => {
      await away(node, 0);
      const late = await connected(t, node);
      late.cut();
      await away(node, 1);
      await away(node, 0);
      await startsAnew(late);
    },
  },
  {
    name: "a client comes back for what is nobody's session",
    moves: [outcome("unknown")],
    run: async (node, t) => {
      const client = new RawClient(t, { port: node.port });
      client.pid = "nobody's";
      await client.connect();
    },
  },
  {
    name: "a client brings an offset that is none",
    moves: [outcome("bad_offset")],
    run: async (node, t) => {
      const client = await connected(t, node);
      client.offset = "1700000000000-0";
      await startsAnew(client);
    },
  },
  {
    name: "a client brings the secret of its session to another namespace",
    moves: [outcome("namespace")],
    run: async (node, t) => {
      const client = await connected(t, node);
      const other = new RawClient(t, { port: node.port, nsp: "/other" });
      other.pid = client.pid;
      await other.connect();
      assert.equal(other.recovered, false);
    },
  },
  {
    name: "a client that the server has disconnected comes back",
    moves: [outcome("ended")],
    run: async (node, t) => {
      const client = await connected(t, node);
      client.emit("end");
      await client.until(() => client.ended);
      await startsAnew(client);
    },
  },
  {
    name: "a client comes back when what it missed is kept no more",
    moves: [outcome("trimmed")],
    run: async (node, t) => {
      const client = await connected(t, node);
      const other = await connected(t, node, 1);
      for (let i = 0; i < MAX_LOG_BYTES / 1_000; i++) await other.call("publish", "nobody", ["x".repeat(1_000)]);
      client.cut();
      await client.connect({ slot: 1 });
      assert.equal(client.recovered, false);
    },
  },
  {
    name: "a client comes back that has missed more than it may be sent at once",
    moves: [outcome("too_large")],
    run: async (node, t) => {
      const client = await connected(t, node);
      const other = await connected(t, node, 1);
      client.cut();
      await other.call("publish", client.id, ["x".repeat(MAX_MISSED_BYTES)]);
      await client.connect({ slot: 1 });
      assert.equal(client.recovered, false);
    },
  },
  ...(["unserializable", "too_large"] as const).map((reason) => ({
    name: `the app keeps data that is ${reason}`,
    moves: [{ name: "limpet_checkpoint_errors_total", labels: { reason } }],
    run: async (node: TestNode, t: Scope) => {
      const client = await connected(t, node);
      if (reason === "unserializable") await client.call("set a function");
      else await client.call("set", "text", "x".repeat(MAX_DATA_BYTES));
    },
  })),
  {
    name: "a client comes back twice while the worker that has its session stands still, which then still speaks for it",
    moves: [
      outcome("superseded"),
      outcome("recovered"),
      { name: "limpet_recovery_refused_total", labels: { reason: "late" } },
    ],
    run: async (node, t) => {
      const client = await connected(t, node);
      // Newcomers go to the worker with fewer.
      for (let i = 0; i < 8; i++) await connected(t, node);
      const { id, pid, offset } = client;
      client.emit("stand still", 2_000);
      const first = new RawClient(t, { port: node.port });
      const second = new RawClient(t, { port: node.port });
      for (const one of [first, second]) Object.assign(one, { id, pid, offset });
      const firstBack = first.connect({ slot: 1 });
      await waitFor(() => first.isConnecting);
      await Promise.all([firstBack, second.connect({ slot: 1 })]);
      assert.deepEqual([first.recovered, second.recovered], [false, true]);
    },
  },
];

const bounds: readonly Scenario[] = [
  {
    name: "a client goes",
    moves: [{ name: "limpet_recovery_sessions", labels: { state: "away" }, by: 1 }],
    run: async (node, t) => (await connected(t, node)).cut(),
  },
  {
    name: "more clients go and come than sessions may be kept",
    moves: [outcome("evicted"), { name: "limpet_recovery_refused_total", labels: { reason: "bounds" }, atLeast: 1 }],
    run: async (node, t) => {
      const first = await connected(t, node);
      first.cut();
      await away(node, 2);
      for (let i = 0; i < MAX_SESSIONS + 1; i++) await connected(t, node);
      await startsAnew(first);
    },
  },
];

const recovery = (env: Readonly<Record<string, string>>): Group["node"] => ({
  app: APP,
  workers: 2,
  args: ["--recovery"],
  env,
});

export const recoveryGroups: readonly Group[] = [
  {
    node: recovery({
      LIMPET_SOCKETIO_CONNECTION_STATE_RECOVERY: JSON.stringify({ maxDisconnectionDuration: AWAY_MS }),
      LIMPET_RECOVERY_MAX_LOG_BYTES: String(MAX_LOG_BYTES),
      LIMPET_RECOVERY_MAX_DATA_BYTES: String(MAX_DATA_BYTES),
      LIMPET_RECOVERY_MAX_MISSED_BYTES: String(MAX_MISSED_BYTES),
    }),
    scenarios: comingBack,
  },
  { node: recovery({ LIMPET_RECOVERY_MAX_SESSIONS: String(MAX_SESSIONS) }), scenarios: bounds },
];
