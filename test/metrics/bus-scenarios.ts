/** The bus: Redis is frozen, cut off, restarted, and others write to it what nobody can read. A node with one worker. */
import type { TestContext } from "node:test";
import type { Redis } from "ioredis";
import { startNode, type TestNode } from "../support/node.js";
import { startRedis, type TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";
import { call, openClient } from "./clients.js";
import type { Scenario } from "./scenario.js";

/** What a scenario is given. */
export interface Place {
  readonly redis: TestRedis;
  readonly client: Redis;
  readonly node: TestNode;
}

export interface BusScenario extends Omit<Scenario, "run"> {
  run(place: Place, t: TestContext): Promise<void>;
}

export interface BusGroup {
  /** Starts what the scenarios share. */
  readonly start: (t: TestContext) => Promise<Place>;
  readonly scenarios: readonly BusScenario[];
}

const STREAM = "socket.io";
const MAX_OUTBOX_BYTES = 20_000;
const MAX_ENTRY_BYTES = 4_000;

const bus: readonly BusScenario[] = [
  {
    name: "Redis is frozen while a client publishes",
    moves: [
      { name: "limpet_bus_up", by: -1 },
      { name: "limpet_bus_outbox_bytes", atLeast: 5_000 },
      { name: "limpet_bus_lag_seconds", atLeast: 1 },
    ],
    run: async ({ redis, node }, t) => {
      redis.freeze();
      await publish(t, node, { messages: 5, bytes: 1_000 });
    },
  },
  {
    name: "Redis answers again",
    moves: [{ name: "limpet_bus_up", by: 1 }],
    run: async ({ redis, node }) => {
      redis.thaw();
      await onTheBus(node);
    },
  },
  {
    name: "more is published than may wait for Redis",
    moves: [{ name: "limpet_bus_dropped_total", labels: { reason: "outbox_full" }, atLeast: 5 }],
    run: async ({ redis, node }, t) => {
      redis.freeze();
      t.after(async () => {
        redis.thaw();
        await onTheBus(node);
      });
      await publish(t, node, { messages: 30, bytes: 1_000 });
    },
  },
  {
    name: "a message is too large for other nodes",
    moves: [
      { name: "limpet_bus_dropped_total", labels: { reason: "too_large" }, by: 1 },
      { name: "limpet_bus_dropped_total", labels: { reason: "outbox_full" }, by: 0 },
    ],
    run: async ({ node }, t) => publish(t, node, { messages: 1, bytes: MAX_ENTRY_BYTES }),
  },
  {
    name: "others write what neither the primary nor a worker can read",
    moves: [{ name: "limpet_bus_skipped_total", by: 2 }],
    run: async ({ client, node }, t) => {
      // A worker is given what is for its clients, and then looks into it.
      await openClient(t, node);
      await client.xadd(STREAM, "*", "uid", "a stranger", "type", "no number");
      const header = JSON.stringify({ n: 1 });
      await client.xadd(STREAM, "*", "uid", "a stranger", "nsp", "/", "type", "3", "data", "{", "l", header);
    },
  },
  {
    name: "a number is missing among another node's entries",
    moves: [{ name: "limpet_bus_gaps_total", labels: { cause: "missing" }, by: 1 }],
    run: async ({ client }) => {
      for (const n of [1, 3])
        await client.xadd(STREAM, "*", "uid", "a sibling", "type", "0", "l", JSON.stringify({ n }));
    },
  },
  {
    name: "entries are trimmed while the reader's connection is cut",
    moves: [
      { name: "limpet_bus_gaps_total", labels: { cause: "trimmed" }, by: 1 },
      { name: "limpet_bus_gaps_total", labels: { cause: "rewound" }, by: 0 },
    ],
    run: async ({ client }) => {
      const clients = (await client.call("CLIENT", "LIST")) as string;
      const [, reader = ""] = /^id=(\d+) .* name=limpet-reader /m.exec(clients) ?? [];
      const transaction = client.multi().call("CLIENT", "KILL", "ID", reader);
      for (let i = 0; i < 5; i++) transaction.xadd(STREAM, "*", "uid", "a stranger", "type", "0");
      await transaction.xtrim(STREAM, "MAXLEN", 0).exec();
    },
  },
  {
    name: "Redis is restarted with nothing in it",
    moves: [{ name: "limpet_bus_gaps_total", labels: { cause: "rewound" }, by: 1 }],
    run: async ({ redis }) => redis.restart({ empty: true }),
  },
];

/** Waits until all that waited has left and come back. */
export async function onTheBus(node: TestNode): Promise<void> {
  await waitFor(
    async () => {
      const scrape = await node.metrics();
      return scrape.sum("limpet_bus_up") === 1 && scrape.sum("limpet_bus_outbox_bytes") === 0;
    },
    { timeoutMs: 20_000, message: "the node to be on the bus again" },
  );
}

async function publish(
  t: TestContext,
  node: TestNode,
  { messages, bytes }: { messages: number; bytes: number },
): Promise<void> {
  const session = await openClient(t, node);
  for (let i = 0; i < messages; i++) await call(session, "publish", "anywhere", "x".repeat(bytes));
}

export const busGroup: BusGroup = {
  start: async (t) => {
    const redis = await startRedis(t);
    const env = {
      LIMPET_BUS_MAX_OUTBOX_BYTES: String(MAX_OUTBOX_BYTES),
      LIMPET_BUS_MAX_ENTRY_BYTES: String(MAX_ENTRY_BYTES),
    };
    const node = await startNode({ app: "test/metrics/app.ts", workers: 1, args: ["--redis", redis.url], env }, t);
    return { redis, client: redis.client(), node };
  },
  scenarios: bus,
};
