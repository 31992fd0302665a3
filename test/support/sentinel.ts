/** A Redis master with a replica, watched by three sentinels of a test's own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Redis } from "ioredis";
import type { Scope } from "./children.js";
import type { Certificates } from "./redis-tls.js";
import { startRedis, type TestRedis } from "./redis.js";
import { waitFor } from "./wait.js";

const NAME = "limpet";
const QUORUM = 2;
const DOWN_AFTER_MS = 1_000;
const SENTINELS = 3;

export interface SentinelOptions {
  /** Everything then speaks TLS only. */
  readonly tls?: Certificates;
  /** Of the servers. */
  readonly password?: string;
  readonly sentinelPassword?: string;
}

export interface SentinelRig {
  /** Under which the sentinels know the master. */
  readonly name: string;
  /** `redis+sentinel://host:port,…/name`, or `rediss+sentinel://`; without passwords. */
  readonly url: string;
  readonly sentinels: readonly TestRedis[];
  /** Both servers; who is the master changes. */
  readonly servers: readonly TestRedis[];
  /** Whom the sentinels name now. */
  master(): Promise<TestRedis>;
  /** A client that asks the sentinels for the master; closed with the test. */
  client(): Redis;
  /**
   * Makes the replica the master: at once, as an operator does it, or by killing the master and waiting for the sentinels to notice. A killed
   * one stays away; the other becomes a replica.
   *
   * @returns the new master, once all sentinels name it and it takes writes
   */
  failover(how?: "ordered" | "killed"): Promise<TestRedis>;
}

/** Starts all five and waits until every sentinel knows the others and the replica, so that a fail-over can begin. */
export async function startSentinel(
  scope: Scope,
  { tls, password, sentinelPassword }: SentinelOptions = {},
): Promise<SentinelRig> {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-sentinel-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  // A replica's first copy begins at once.
  const args = ["--repl-diskless-sync-delay", "0"];
  const access = { ...(tls && { tls }), ...(password !== undefined && { password }) };
  const first = await startRedis(scope, { args, ...access });
  const replica = await startRedis(scope, {
    args: [...args, "--replicaof", first.host, String(first.port)],
    ...access,
  });
  const servers = [first, replica];

  const sentinels: TestRedis[] = [];
  for (let n = 0; n < SENTINELS; n++) {
    const config = path.join(folder, `sentinel-${n}.conf`);
    // A sentinel writes what it learns into its file.
    writeFileSync(
      config,
      `sentinel monitor ${NAME} ${first.host} ${first.port} ${QUORUM}
sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}
sentinel failover-timeout ${NAME} 5000
${password === undefined ? "" : `sentinel auth-pass ${NAME} ${password}\n`}`,
    );
    const own = { ...(tls && { tls }), ...(sentinelPassword !== undefined && { password: sentinelPassword }) };
    sentinels.push(await startRedis(scope, { config, args: ["--sentinel"], ...own }));
  }
  const asked = sentinels.map((sentinel) => sentinel.client());
  const copy = replica.client();
  await waitFor(async () => ((await copy.call("ROLE")) as string[])[3] === "connected", {
    message: "the replica to hold what the master holds",
  });
  copy.disconnect();
  await waitFor(async () => (await Promise.all(asked.map(knowsAll))).every(Boolean), {
    timeoutMs: 20_000,
    message: () => `the sentinels to know each other and the replica:\n${sentinels.map((s) => s.output()).join("\n")}`,
  });

  const masterOf = async (sentinel: Redis): Promise<TestRedis | undefined> => {
    const [, port] = (await sentinel.call("SENTINEL", "get-master-addr-by-name", NAME)) as string[];
    return servers.find((server) => server.port === Number(port));
  };
  const master = async (): Promise<TestRedis> => {
    const [sentinel] = asked;
    const found = sentinel && (await masterOf(sentinel));
    if (found === undefined) throw new Error("the sentinel names no server of this test");
    return found;
  };
  return {
    name: NAME,
    url: `${tls === undefined ? "redis" : "rediss"}+sentinel://${sentinels.map(({ host, port }) => `${host}:${port}`).join(",")}/${NAME}`,
    sentinels,
    servers,
    master,
    client: () => {
      // Host and port would win over the sentinels.
      const places = sentinels.map(({ host, port }) => ({ host, port }));
      return first.client({ sentinels: places, name: NAME, failoverDetector: true, sentinelRetryStrategy: () => 50 });
    },
    failover: async (how = "ordered") => {
      const old = await master();
      const next = servers.find((server) => server !== old);
      if (next === undefined) throw new Error("there is no replica");
      if (how === "killed") await old.kill();
      else await asked[0]?.call("SENTINEL", "failover", NAME);
      const client = next.client();
      await waitFor(
        async () => {
          const named = await Promise.all(asked.map(masterOf));
          const [role] = (await client.call("ROLE")) as [string];
          return named.every((server) => server === next) && role === "master";
        },
        { timeoutMs: 20_000, message: `port ${next.port} to become the master` },
      );
      client.disconnect();
      return next;
    },
  };
}

/** Whether this sentinel sees the master, its replica and the other sentinels. */
async function knowsAll(sentinel: Redis): Promise<boolean> {
  const reply = (await sentinel.call("SENTINEL", "master", NAME)) as string[];
  const field = (name: string): string | undefined => reply[reply.indexOf(name) + 1];
  return (
    field("flags") === "master" && field("num-slaves") === "1" && field("num-other-sentinels") === String(SENTINELS - 1)
  );
}
