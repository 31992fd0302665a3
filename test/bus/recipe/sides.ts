/** The same scenario on either side: servers with the stock Redis Streams adapter, or limpet nodes; each behind a network of its own to Redis. */
import { readFileSync } from "node:fs";
import type { ServerOptions } from "socket.io";
import { APP, connect, type Member } from "../../hub/fleet.js";
import type { Scope } from "../../support/children.js";
import { startNode, type TestNode } from "../../support/node.js";
import { startRedis, type TestRedis } from "../../support/redis.js";
import { startStockServer } from "../../support/stock-server.js";
import { startProxy, type TcpProxy } from "../../support/tcp-proxy.js";
import { waitFor } from "../../support/wait.js";

export interface ServerUnderTest {
  readonly url: string;
  /** All of its way to Redis. */
  readonly proxy: TcpProxy;
  /** The process that speaks with Redis. */
  readonly pid: number;
  /** A client on it. */
  readonly member: Member;
  /** Another one; on limpet, on its other worker. */
  readonly connect: () => Promise<Member>;
  /** How many of its processes have ended by themselves. */
  readonly exits: () => number;
  /** Whether a read of it blocks at Redis now: it hears what is written from here on, wherever it has set itself. */
  readonly reads: () => Promise<boolean>;
  /** A metric of a limpet node. @throws Error on a stock server */
  readonly metric: (name: string) => Promise<number>;
  /** The node, where it is one. */
  readonly node: TestNode | undefined;
}

export interface ServerOptionsUnderTest {
  readonly redis: TestRedis;
  /** 1 to 4095. */
  readonly id: number;
  /** Whether to wait until it hears the others; without it, only until it takes clients. */
  readonly joins?: boolean;
  /** Before anything of it reaches Redis. */
  readonly prepareProxy?: (proxy: TcpProxy) => void;
  /** For the stock side: options of ioredis and of Socket.IO. */
  readonly ioredis?: { readonly maxRetriesPerRequest?: number };
  readonly socketio?: Partial<ServerOptions>;
  /** For limpet. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Side {
  readonly name: "the stock adapter" | "limpet";
  start(scope: Scope, options: ServerOptionsUnderTest): Promise<ServerUnderTest>;
}

export const stock: Side = {
  name: "the stock adapter",
  start: async (scope, { redis, id, prepareProxy, ioredis, socketio, joins = true }) => {
    const proxy = await startProxy(redis.port, scope);
    prepareProxy?.(proxy);
    const settings = { redis: { port: proxy.port, ...ioredis }, app: APP, id, ...(socketio && { server: socketio }) };
    const { url, pid } = await startStockServer(scope, settings);
    return serverUnderTest(scope, { url, pid, pids: [pid], proxy, redis, joins, node: undefined });
  },
};

export const limpet: Side = {
  name: "limpet",
  start: async (scope, { redis, id, prepareProxy, env = {}, joins = true }) => {
    const proxy = await startProxy(redis.port, scope);
    prepareProxy?.(proxy);
    const args = ["--redis", proxy.url, "--node-id", String(id)];
    const node = await startNode({ app: APP, workers: 2, args, env }, scope);
    const workers = await node.workers();
    const pids = [node.pid, ...workers.map((worker) => worker.pid)];
    return serverUnderTest(scope, { url: node.url, pid: node.pid, pids, proxy, redis, joins, node });
  },
};

interface Parts extends Pick<ServerUnderTest, "url" | "pid" | "proxy" | "node"> {
  readonly pids: readonly number[];
  readonly redis: TestRedis;
  readonly joins: boolean;
}

async function serverUnderTest(scope: Scope, parts: Parts): Promise<ServerUnderTest> {
  const { url, pid, pids, proxy, redis, node, joins } = parts;
  const reads = async (): Promise<boolean> => {
    const places = proxy.links().filter(({ open, commands }) => open && commands.has("XREAD"));
    const asking = redis.client();
    const clients = String(await asking.call("CLIENT", "LIST")).split("\n");
    asking.disconnect();
    return clients.some(
      (line) => / flags=\w*b/.test(line) && places.some((link) => line.includes(` addr=${link.addressAtServer} `)),
    );
  };
  if (joins) await waitFor(reads, { message: "the server to read the stream" });
  const member = await connect(scope, url);
  return {
    url,
    proxy,
    pid,
    member,
    node,
    connect: () => connect(scope, url),
    exits: () => pids.filter((each) => !isRunning(each)).length,
    reads,
    metric: async (name) => {
      if (node === undefined) throw new Error("a stock server has no metrics");
      return node.metric(name);
    },
  };
}

/** Two servers on a Redis of their own. */
export async function startPair(
  scope: Scope,
  side: Side,
  { redis: given, ...options }: Partial<ServerOptionsUnderTest> = {},
): Promise<{ readonly redis: TestRedis; readonly a: ServerUnderTest; readonly b: ServerUnderTest }> {
  const redis = given ?? (await startRedis(scope));
  const a = await side.start(scope, { ...options, redis, id: 1 });
  const b = await side.start(scope, { ...options, redis, id: 2 });
  return { redis, a, b };
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
