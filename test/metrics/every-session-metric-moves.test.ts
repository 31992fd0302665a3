import test from "node:test";
import { startNode } from "../support/node.js";
import { runScenario } from "./scenario.js";
import { sessionGroups } from "./session-scenarios.js";

for (const { node: options, scenarios } of sessionGroups) {
  test(`what happens to sessions is counted: ${JSON.stringify(options.env)}`, async (t) => {
    const node = await startNode(options, t);
    for (const scenario of scenarios) await t.test(scenario.name, (t) => runScenario(scenario, node, t));
  });
}
