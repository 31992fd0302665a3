import test from "node:test";
import { startNode } from "../support/node.js";
import { nodeGroups } from "./node-scenarios.js";
import { runScenario } from "./scenario.js";

for (const { node: options, scenarios } of nodeGroups) {
  const [{ name } = { name: "" }] = scenarios;
  test(`what happens between and to workers is counted, from: ${name}`, async (t) => {
    const node = await startNode(options, t);
    for (const scenario of scenarios) await t.test(scenario.name, (t) => runScenario(scenario, node, t));
  });
}
