/** A Redis Cluster of a test's own on loopback: three masters with a replica each. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Cluster } from "ioredis";
import type { Scope } from "./children.js";
import { freePort } from "./free-port.js";
import type { Certificates } from "./redis-tls.js";
import { startRedis, type TestRedis } from "./redis.js";
import { waitFor } from "./wait.js";

const run = promisify(execFile);
const MISSING = "redis-cli is missing: on Debian, apt-get install --no-install-recommends redis-tools";
const NODE_TIMEOUT_MS = 2_000;
const MASTERS = 3;
// A replica's first copy begins at once.
const FLAGS = ["--cluster-node-timeout", String(NODE_TIMEOUT_MS), "--repl-diskless-sync-delay", "0"];

export interface RedisClusterOptions {
  /** Everything then speaks TLS only. */
  readonly tls?: Certificates;
  readonly password?: string;
}

export interface RedisClusterRig {
  /** `redis+cluster://host:port,…` of all six, or `rediss+cluster://`; without the password. */
  readonly url: string;
  readonly nodes: readonly TestRedis[];
  /** Who serves this key now. */
  masterOf(key: string): Promise<TestRedis>;
  /** Kills who serves this key, and waits until its replica does. @returns both */
  killMaster(key: string): Promise<{ readonly killed: TestRedis; readonly next: TestRedis }>;
  /** A client of the cluster, closed with the test. */
  client(): Cluster;
}

/** Starts all six and waits until each says that the cluster is whole. */
export async function startRedisCluster(
  scope: Scope,
  { tls, password }: RedisClusterOptions = {},
): Promise<RedisClusterRig> {
  const access = { ...(tls && { tls }), ...(password !== undefined && { password }) };
  const nodes: TestRedis[] = [];
  const places: string[] = [];
  for (let n = 0; n < MASTERS * 2; n++) {
    // Where the nodes speak with each other; it would be 10,000 above the other one, which may not exist.
    const busPort = String(await freePort());
    const args = ["--cluster-enabled", "yes", "--cluster-port", busPort, ...(tls ? ["--tls-cluster", "yes"] : [])];
    const node = await startRedis(scope, { args: [...args, ...FLAGS], ...access });
    nodes.push(node);
    places.push(`${node.host}:${node.port}@${busPort}`);
  }
  try {
    const login = [
      ...(tls ? ["--tls", "--cacert", tls.caFile] : []),
      ...(password === undefined ? [] : ["-a", password, "--no-auth-warning"]),
    ];
    await run("redis-cli", [...login, "--cluster", "create", ...places, "--cluster-replicas", "1", "--cluster-yes"]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new Error(MISSING, { cause: error });
    throw error;
  }
  const asked = nodes.map((node) => ({ node, client: node.client({ maxRetriesPerRequest: 0 }) }));
  await waitFor(
    async () => {
      const states = await Promise.all(asked.map(async ({ client }) => String(await client.call("CLUSTER", "INFO"))));
      const roles = await Promise.all(asked.map(async ({ client }) => (await client.call("ROLE")) as unknown[]));
      // A replica that has not copied its master yet cannot follow it.
      const linked = roles.filter(([role, , , link]) => role === "slave" && link === "connected").length;
      return states.every((state) => state.includes("cluster_state:ok")) && linked === MASTERS;
    },
    { timeoutMs: 30_000, message: "the cluster to be whole" },
  );

  /** As one node, not `except`, sees it. */
  const masterOf = async (key: string, except?: TestRedis): Promise<TestRedis> => {
    const seer = asked.find(({ node, client }) => node !== except && client.status === "ready");
    if (seer === undefined) throw new Error("no node of the cluster is in reach");
    const slot = Number(await seer.client.call("CLUSTER", "KEYSLOT", key));
    const slots = (await seer.client.call("CLUSTER", "SLOTS")) as [number, number, [string, number]][];
    const owner = slots.find(([from, to]) => from <= slot && slot <= to);
    const found = nodes.find(({ port }) => port === owner?.[2][1]);
    if (found === undefined) throw new Error(`nobody serves slot ${slot}`);
    return found;
  };
  return {
    url: `${tls === undefined ? "redis" : "rediss"}+cluster://${nodes.map(({ host, port }) => `${host}:${port}`).join(",")}`,
    nodes,
    masterOf,
    killMaster: async (key) => {
      const killed = await masterOf(key);
      await killed.kill();
      const next = await waitFor(
        async () => {
          const now = await masterOf(key, killed);
          return now !== killed && now;
        },
        { timeoutMs: 20_000, message: `somebody else to serve ${key}` },
      );
      return { killed, next: next as TestRedis };
    },
    client: () => {
      const client = new Cluster(
        nodes.map(({ host, port }) => ({ host, port })),
        {
          clusterRetryStrategy: () => 100,
          redisOptions: { ...(tls && { tls: { ca: tls.ca } }), ...(password !== undefined && { password }) },
        },
      );
      client.on("error", () => undefined);
      scope.after(() => client.disconnect());
      return client;
    },
  };
}
