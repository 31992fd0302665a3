import test from "node:test";
import { startNode } from "../support/node.js";
import { startRedis } from "../support/redis.js";
import { rescueGroup } from "./rescue-scenarios.js";
import { runScenario } from "./scenario.js";

test("what becomes of requests for other workers and nodes is counted", async (t) => {
  const redis = await startRedis(t);
  const { node: options, scenarios } = rescueGroup(redis.url);
  const node = await startNode(options, t);
  for (const scenario of scenarios) await t.test(scenario.name, (t) => runScenario(scenario, node, t));
});
