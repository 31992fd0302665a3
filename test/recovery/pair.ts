/** Two nodes on one Redis, each behind a network of its own towards it, and clients on them. */
import type { Redis } from "ioredis";
import type { Scope } from "../support/children.js";
import { startNode, type TestNode } from "../support/node.js";
import { startRedis, type RedisOptions, type TestRedis } from "../support/redis.js";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.js";
import { waitFor } from "../support/wait.js";
import { RawClient } from "./raw-client.js";

const APP = "test/recovery/app.ts";

export interface PairNode extends TestNode {
  /** Its network to Redis. */
  readonly network: TcpProxy;
}

export interface Pair {
  readonly redis: TestRedis;
  readonly client: Redis;
  readonly a: PairNode;
  readonly b: PairNode;
}

export interface PairOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly redis?: RedisOptions;
}

export async function startPair(scope: Scope, options: PairOptions = {}): Promise<Pair> {
  const redis = await startRedis(scope, options.redis);
  const [a, b] = await Promise.all([startPairNode(scope, redis, 1, options), startPairNode(scope, redis, 2, options)]);
  return { redis, client: redis.client(), a, b };
}

export async function startPairNode(
  scope: Scope,
  redis: TestRedis,
  id: number,
  { env = {} }: PairOptions = {},
): Promise<PairNode> {
  const network = await startProxy(redis.port, scope);
  const args = ["--recovery", "--redis", network.url, "--node-id", String(id)];
  return { ...(await startNode({ app: APP, workers: 2, args, env }, scope)), network };
}

export interface Who {
  readonly id: string;
  readonly recovered: boolean;
  readonly data: unknown;
  readonly rooms: readonly string[];
  readonly slot: number;
}

export async function connected(scope: Scope, { port }: TestNode, slot = 0): Promise<RawClient> {
  const client = new RawClient(scope, { port });
  await client.connect({ slot });
  return client;
}

/** What its worker knows of a client. */
export const who = async (client: RawClient): Promise<Who> => (await client.call("who")) as Who;

/** The values it was told in rooms, in order. */
export const said = (client: RawClient): unknown[] =>
  client.received.filter(([name]) => name === "said").map(([, , value]) => value);

/** Waits until a client has been told so many values in rooms. */
export const untilSaid = (client: RawClient, count: number): Promise<void> =>
  client.until(() => said(client).length >= count, `${count} values`);

export const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Calls of a command that clients have made so far; what scripts call counts as well. */
export async function callsOf(client: Redis, command: string): Promise<number> {
  const line = new RegExp(`^cmdstat_${command.replace("|", "\\|")}:calls=(\\d+)`, "m");
  return Number(line.exec(await client.info("commandstats"))?.[1] ?? 0);
}

/** Waits until Redis knows of a client's room: it is told at most once a second. */
export async function untilSaved(redis: Redis, { pid }: RawClient, room: string): Promise<void> {
  const message = `${room} in the session's record`;
  await waitFor(async () => (await redis.hgetBuffer(`limpet:session:${pid}`, "r"))?.includes(room) === true, {
    message,
  });
}

export const sessionKeys = (client: Redis): Promise<string[]> => client.keys("limpet:session:*");
