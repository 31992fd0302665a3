import test, { type TestContext } from "node:test";
import { busGroup } from "./bus-scenarios.js";
import { runScenario } from "./scenario.js";

test("what happens between a node and Redis is counted", async (t) => {
  const place = await busGroup.start(t);
  for (const scenario of busGroup.scenarios) {
    const run = (_node: unknown, t: TestContext): Promise<void> => scenario.run(place, t);
    await t.test(scenario.name, (t) => runScenario({ ...scenario, run }, place.node, t));
  }
});
