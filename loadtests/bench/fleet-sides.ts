/** The two sides that the fleet is measured on: limpet nodes, and the documented recipe's servers, over one Redis. */
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { exitOf, killGroup, startGroup } from "../../test/support/children.js";
import { root, startNode } from "../../test/support/node.js";
import type { TestRedis } from "../../test/support/redis.js";
import { within } from "../../test/support/wait.js";

/** A limpet node or a server of the recipe: one port, several workers. */
export interface Server {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Side {
  readonly name: "limpet" | "recipe";
  start(redis: TestRedis, workers: number): Promise<Server>;
}

const APP = path.join(import.meta.dirname, "fleet-app.mjs");
const RECIPE = path.join(root, "test/support/recipe.mjs");
const START_MS = 60_000;

export const limpet: Side = {
  name: "limpet",
  start: async (redis, workers) => {
    const node = await startNode({ app: APP, workers, args: ["--redis", redis.url], readyTimeoutMs: START_MS });
    return { port: node.port, pid: node.pid, stop: async () => void (await node.stop()) };
  },
};

export const recipe: Side = {
  name: "recipe",
  start: async (redis, workers) => {
    const child = startGroup(process.execPath, [RECIPE, APP, String(workers), String(redis.port)], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: root,
    });
    const stop = async (): Promise<void> => {
      killGroup(child.pid);
      await exitOf(child, START_MS, "the recipe");
    };
    if (child.stdout === null) throw new Error("the recipe has no output");
    const lines = createInterface({ input: child.stdout });
    try {
      const [line] = (await within(once(lines, "line"), START_MS, "the recipe's port")) as [string];
      return { port: Number(line), pid: child.pid, stop };
    } catch (error) {
      await stop();
      throw error;
    }
  },
};
