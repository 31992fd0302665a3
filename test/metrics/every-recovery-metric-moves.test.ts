import test from "node:test";
import { startNode } from "../support/node.js";
import { recoveryGroups } from "./recovery-scenarios.js";
import { runScenario } from "./scenario.js";

for (const { node: options, scenarios } of recoveryGroups) {
  const [{ name } = { name: "" }] = scenarios;
  test(`clients that come back are counted, from: ${name}`, async (t) => {
    const node = await startNode(options, t);
    for (const scenario of scenarios) await t.test(scenario.name, (t) => runScenario(scenario, node, t));
  });
}
