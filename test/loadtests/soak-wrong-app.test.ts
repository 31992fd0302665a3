/** The soak's word on an app that does everything wrong. */
import assert from "node:assert/strict";
import test from "node:test";
import { runSoak } from "./soak-run.js";

test("an app that loses, repeats and delays messages, keeps memory and ends a worker fails the run, each by name", async (t) => {
  const { code, output } = await runSoak(t, "--minutes", "0.5", "--app", "test/loadtests/wrong-soak-app.mjs");
  assert.equal(code, 1, output);
  assert.match(output, /failed: \d+ messages were lost/);
  assert.match(output, /failed: \d+ messages came twice/);
  assert.match(output, /failed: \d+ messages came after a later one/);
  assert.match(output, /failed: node 1 worker 1, process \d+, has ended by itself/);
  assert.match(output, /failed: the memory of node 1 worker 0, process \d+, has grown/);
});
