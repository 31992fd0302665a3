import test from "node:test";
import { startNode } from "../support/node.js";
import { entryGroups } from "./entry-scenarios.js";
import { runScenario } from "./scenario.js";

for (const { node: options, scenarios } of entryGroups) {
  const [{ name } = { name: "" }] = scenarios;
  test(`who may not enter is counted, from: ${name}`, async (t) => {
    const node = await startNode(options, t);
    for (const scenario of scenarios) await t.test(scenario.name, (t) => runScenario(scenario, node, t));
  });
}
