/** The two sides of a scenario: limpet nodes, and servers put together as Socket.IO's documentation has it, with recovery on. */
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { exitOf, killGroup, startGroup, type Scope } from "../../support/children.js";
import { root, startNode, type TestNode } from "../../support/node.js";
import type { TestRedis } from "../../support/redis.js";
import { within } from "../../support/wait.js";

/** A limpet node, or a server of the recipe: one port, several workers. */
export interface Site {
  readonly port: number;
  readonly url: string;
  /** Its primary's. */
  readonly pid: number;
  /** Ends all of its processes at once. */
  kill(): Promise<void>;
  /** Where it is a limpet node. */
  readonly node: TestNode | undefined;
}

export interface SiteOptions {
  /** None: it is alone. */
  readonly redis: TestRedis | undefined;
  /** From 1 on. */
  readonly id: number;
  readonly workers: number;
  readonly env: Readonly<Record<string, string>>;
}

export interface Side {
  readonly name: string;
  start(scope: Scope, options: SiteOptions): Promise<Site>;
}

const APP = path.join(import.meta.dirname, "app.mjs");
const RECIPE = path.join(root, "test/support/recipe.mjs");
const START_MS = 60_000;

export const limpet: Side = {
  name: "limpet",
  start: async (scope, { redis, id, workers, env }) => {
    const fleet = redis === undefined ? [] : ["--redis", redis.url, "--node-id", String(id)];
    const args = ["--recovery", ...fleet];
    const node = await startNode({ app: APP, workers, args, env, readyTimeoutMs: START_MS }, scope);
    return { port: node.port, url: node.url, pid: node.pid, kill: () => node.kill(), node };
  },
};

/** Node's cluster, @socket.io/sticky, and @socket.io/cluster-adapter or, with Redis, @socket.io/redis-streams-adapter. */
export const stock: Side = {
  name: "stock",
  start: async (scope, { redis, workers, env }) => {
    const settings = [String(workers), String(redis?.port ?? 0), JSON.stringify({ connectionStateRecovery: {} })];
    const child = startGroup(process.execPath, [RECIPE, APP, ...settings], {
      ...{ cwd: root, stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...env } },
    });
    const kill = async (): Promise<void> => {
      killGroup(child.pid);
      await exitOf(child, START_MS, "the recipe");
    };
    scope.after(kill);
    if (child.stdout === null) throw new Error("the recipe has no output");
    const lines = createInterface({ input: child.stdout });
    const [line] = (await within(once(lines, "line"), START_MS, "the recipe's port")) as [string];
    return { port: Number(line), url: `http://127.0.0.1:${line}`, pid: child.pid, kill, node: undefined };
  },
};
