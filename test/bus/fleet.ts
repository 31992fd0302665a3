/** Several nodes on one Redis, with a stock client on each of their workers. */
import { once } from "node:events";
import type { Redis } from "ioredis";
import { connectTo, startFleet, type Fleet, type Member } from "../hub/fleet.js";
import type { Scope } from "../support/children.js";
import type { NodeOptions, TestNode } from "../support/node.js";
import { startRedis, type TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";

export const STREAM = "socket.io";

export interface NodesOptions extends NodeOptions {
  /** How many; 2 unless told. */
  readonly nodes?: number;
  /** Id of the first; 1 unless told. The next ones follow. */
  readonly firstId?: number;
  /** One of its own unless told. */
  readonly redis?: TestRedis;
}

export interface Nodes {
  readonly redis: TestRedis;
  readonly client: Redis;
  readonly nodes: readonly TestNode[];
  /** One on each worker, by node and slot. The workers of node n have the numbers 100 n, 100 n + 1 and so on. */
  readonly members: readonly Member[];
}

/** Starts nodes of 2 workers, unless told, one after another. */
export async function startNodes(scope: Scope, options: NodesOptions = {}): Promise<Nodes> {
  const { nodes: count = 2, firstId = 1, workers = 2, redis = await startRedis(scope), args = [], ...rest } = options;
  const fleets: Fleet[] = [];
  for (let id = firstId; id < firstId + count; id++) {
    const flags = ["--redis", redis.url, "--node-id", String(id), ...args];
    fleets.push(await startFleet(scope, { workers, args: flags, ...rest }));
  }
  return {
    redis,
    client: redis.client(),
    nodes: fleets.map(({ node }) => node),
    members: fleets.flatMap(({ members }) => members),
  };
}

/** The workers' numbers of these members, in order: what their clients answer. */
export const workersOf = (members: readonly Member[]): number[] => members.map(({ worker }) => worker).sort(byNumber);

export const sorted = (numbers: unknown): number[] => [...(numbers as number[])].sort(byNumber);

const byNumber = (a: number, b: number): number => a - b;

/** Entries that were ever added to the stream. */
export async function entriesAdded(client: Redis): Promise<number> {
  const fields = (await client.call("XINFO", "STREAM", STREAM)) as unknown[];
  return Number(fields[fields.indexOf("entries-added") + 1]);
}

/** Servers that are subscribed to the namespace's channel. */
export async function subscribers(client: Redis, nsp: string): Promise<number> {
  const [, count] = (await client.pubsub("NUMSUB", `socket.io#${nsp}#`)) as [string, number];
  return count;
}

/** Waits until so many servers have the namespace open. */
export async function waitForSubscribers(client: Redis, nsp: string, count: number): Promise<void> {
  let found = -1;
  const message = (): string => `${count} servers with ${nsp} open; there are ${found}`;
  await waitFor(async () => (found = await subscribers(client, nsp)) === count, { intervalMs: 5, message });
}

/** A client that takes what it is sent and acknowledges nothing. */
export async function connectMute(scope: Scope, node: TestNode, worker: number): Promise<Member> {
  const mute = await connectTo(scope, node.url, worker);
  mute.client.offAny();
  return mute;
}

/** Waits until that client is disconnected. @returns the reason */
export async function disconnected({ client }: Member): Promise<string> {
  const [reason] = (await once(client as unknown as NodeJS.EventEmitter, "disconnect")) as [string];
  return reason;
}
