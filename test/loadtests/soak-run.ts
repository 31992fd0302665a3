/** The soak as a program of its own. */
import assert from "node:assert/strict";
import { once } from "node:events";
import path from "node:path";
import type { TestContext } from "node:test";
import { exitOf, killGroup, startGroup } from "../support/children.js";
import { root } from "../support/node.js";

const PROGRAM = path.join(root, "loadtests/soak/main.ts");
const END_MS = 8 * 60_000;

export async function runSoak(
  t: TestContext,
  ...args: readonly string[]
): Promise<{ code: number | null; output: string }> {
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
