/** The soak itself: two minutes of it on limpet, and its word on an app that does everything wrong. */
import assert from "node:assert/strict";
import { once } from "node:events";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { exitOf, killGroup, startGroup } from "../support/children.js";
import { root } from "../support/node.js";

const PROGRAM = path.join(root, "loadtests/soak/main.ts");
const END_MS = 8 * 60_000;

async function runSoak(t: TestContext, ...args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = startGroup(process.execPath, ["--import", "tsx", PROGRAM, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: root,
  });
  t.after(() => killGroup(child.pid));
  let output = "";
  assert.ok(child.stdout !== null);
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const read = once(child.stdout, "end");
  const { code } = await exitOf(child, END_MS, "the soak");
  await read;
  return { code, output };
}

test("two minutes: nodes are killed, Redis is restarted twice, and nothing is lost to members that stayed", async (t) => {
  const { code, output } = await runSoak(t, "--minutes", "2");
  for (const line of output.trim().split("\n")) t.diagnostic(line);
  assert.equal(code, 0, output);
  assert.match(output, /node 2 was killed, and is ready/);
  assert.match(output, /node 3 was killed, and is ready/);
  assert.match(output, /redis was killed, came back with its data/);
  assert.match(output, /redis was killed, came back empty/);
});

test("an app that loses, repeats and delays messages, keeps memory and ends a worker fails the run, each by name", async (t) => {
  const { code, output } = await runSoak(t, "--minutes", "0.5", "--app", "test/loadtests/wrong-soak-app.mjs");
  assert.equal(code, 1, output);
  assert.match(output, /failed: \d+ messages were lost/);
  assert.match(output, /failed: \d+ messages came twice/);
  assert.match(output, /failed: \d+ messages came after a later one/);
  assert.match(output, /failed: node 1 worker 1, process \d+, has ended by itself/);
  assert.match(output, /failed: the memory of node 1 worker 0, process \d+, has grown/);
});
