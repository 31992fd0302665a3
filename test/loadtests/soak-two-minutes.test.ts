/** Two minutes of the soak, on limpet. */
import assert from "node:assert/strict";
import test from "node:test";
import { runSoak } from "./soak-run.js";

test("two minutes: nodes are killed, Redis is restarted twice, and nothing is lost to members that stayed", async (t) => {
  const { code, output } = await runSoak(t, "--minutes", "2");
  for (const line of output.trim().split("\n")) t.diagnostic(line);
  assert.equal(code, 0, output);
  assert.match(output, /node 2 was killed, and is ready/);
  assert.match(output, /node 3 was killed, and is ready/);
  assert.match(output, /redis was killed, came back with its data/);
  assert.match(output, /redis was killed, came back empty/);
});
