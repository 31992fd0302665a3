/** Sessions that are kept in Redis for other nodes, and what becomes of them where Redis or another node has its own mind. A node of one worker. */
import { RawClient } from "../recovery/raw-client.js";
import { startNode, type TestNode } from "../support/node.js";
import { startRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";
import { onTheBus, type BusGroup, type BusScenario } from "./bus-scenarios.js";
import type { Move } from "./scenario.js";

/** As many may wait for Redis, too. */
const MAX_SESSIONS = 2;

const writes = (outcome: string, atLeast = 1): Move => ({
  name: "limpet_recovery_writes_total",
  labels: { outcome },
  atLeast,
});

async function connected(t: ConstructorParameters<typeof RawClient>[0], node: TestNode): Promise<RawClient> {
  const client = new RawClient(t, { port: node.port });
  await client.connect();
  return client;
}

/** Ends its session, so that there is room for another one. */
async function end(client: RawClient): Promise<void> {
  client.emit("end");
  await client.until(() => client.ended, "the end of its session");
}

const sessions: readonly BusScenario[] = [
  {
    name: "a client's session is kept in Redis, and another node takes it without a word",
    moves: [writes("written"), writes("refused")],
    run: async ({ client: redis, node }, t) => {
      const client = await connected(t, node);
      const key = `limpet:session:${client.pid}`;
      await waitFor(async () => (await redis.exists(key)) === 1, { message: "the session in Redis" });
      await redis.hset(key, { g: 99, o: "another node" });
      client.emit("join", "a room");
      await client.until(() => client.ended || client.session.closed, "to be told that the session is elsewhere");
    },
  },
  {
    name: "Redis takes no writes",
    moves: [writes("failed")],
    run: async ({ client: redis, node }, t) => {
      await redis.replicaof("127.0.0.1", 1);
      t.after(async () => {
        await redis.replicaof("NO", "ONE");
        await onTheBus(node);
      });
      const client = await connected(t, node);
      const failed = (): Promise<number> => node.metric("limpet_recovery_writes_total", { outcome: "failed" });
      await waitFor(async () => (await failed()) > 0, { message: "a write that fails" });
      await end(client);
    },
  },
  {
    name: "Redis is away: one session too many waits for it, and a client of another node comes",
    moves: [writes("dropped"), { name: "limpet_recoveries_total", labels: { outcome: "bus_down" }, by: 1 }],
    run: async ({ redis, node }, t) => {
      await redis.kill();
      t.after(async () => {
        await redis.start();
        await onTheBus(node);
      });
      await waitFor(async () => (await node.metric("limpet_bus_up")) === 0, { message: "the node to notice" });
      const stranger = new RawClient(t, { port: node.port });
      stranger.pid = "of another node";
      await stranger.connect();
      await end(stranger);
      const first = await connected(t, node);
      await connected(t, node);
      await end(first);
      await connected(t, node);
    },
  },
];

export const recoveryBusGroup: BusGroup = {
  start: async (t) => {
    const redis = await startRedis(t);
    const env = { LIMPET_RECOVERY_MAX_SESSIONS: String(MAX_SESSIONS) };
    const args = ["--recovery", "--redis", redis.url];
    const node = await startNode({ app: "test/recovery/app.ts", workers: 1, args, env }, t);
    return { redis, client: redis.client(), node };
  },
  scenarios: sessions,
};
