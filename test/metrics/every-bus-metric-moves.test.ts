import test, { type TestContext } from "node:test";
import { busGroup, type BusGroup } from "./bus-scenarios.js";
import { recoveryBusGroup } from "./recovery-bus-scenarios.js";
import { runScenario } from "./scenario.js";

async function runGroup({ start, scenarios }: BusGroup, t: TestContext): Promise<void> {
  const place = await start(t);
  for (const scenario of scenarios) {
    const run = (_node: unknown, t: TestContext): Promise<void> => scenario.run(place, t);
    await t.test(scenario.name, (t) => runScenario({ ...scenario, run }, place.node, t));
  }
}

test("what happens between a node and Redis is counted", (t) => runGroup(busGroup, t));

test("what becomes of sessions that are kept in Redis is counted", (t) => runGroup(recoveryBusGroup, t));
