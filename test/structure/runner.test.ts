/** What `npm test` makes of tests that pass, fail, are skipped, hang or leave processes behind: the runner itself, on a project of its own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { root } from "../support/node.js";

const LOADER = path.join(root, "node_modules/tsx/dist/loader.mjs");
const IMPORT = 'import test from "node:test";\n';

function run(t: TestContext, files: Record<string, string>, words: string[] = []) {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-runner-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ["test", "tools"]) mkdirSync(path.join(folder, name));
  writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(path.join(folder, "tools/ensure-tools.mjs"), "");
  copyFileSync(path.join(root, "test/run.ts"), path.join(folder, "test/run.ts"));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, "test", name), IMPORT + text);
  const env = Object.entries(process.env).filter(([name]) => name !== "NODE_TEST_CONTEXT");
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", `file://${LOADER}`, "test/run.ts", ...words],
    { cwd: folder, env: Object.fromEntries(env), encoding: "utf8", timeout: 60_000 },
  );
  const lines = stdout.trimEnd().split("\n");
  return { status, last: lines.at(-1), stdout: stdout + stderr, folder };
}

test("tests that pass are counted, those in suites and in phases of their own too", (t) => {
  const { status, last, stdout } = run(t, {
    "a.test.ts": 'test("one", () => {});\ntest.describe("suite", () => { test("two", () => {}); });',
    "b.serial.test.ts": 'test("three", () => {});',
    "helper.ts": "throw new Error('not a test');",
  });
  assert.equal(last, "3 passed, 0 failed", stdout);
  assert.equal(status, 0);
});

test("a test that fails makes the run fail, and so does a file that does not load", (t) => {
  const { status, last, stdout } = run(t, {
    "a.test.ts": 'test("one", () => { throw new Error("no"); });\ntest("two", () => {});',
    "b.test.ts": 'throw new Error("broken");',
  });
  assert.equal(last, "1 passed, 2 failed", stdout);
  assert.equal(status, 1);
});

test("a test that is skipped or left to do fails, and a file without tests does", (t) => {
  const { status, last, stdout } = run(t, {
    "a.test.ts": 'test.skip("one", () => {});\ntest.todo("two");\ntest("three", () => {});',
    "b.test.ts": "void test;",
  });
  assert.equal(last, "1 passed, 3 failed", stdout);
  assert.equal(status, 1);
  assert.match(stdout, /a\.test\.ts: one: was skipped/);
  assert.match(stdout, /a\.test\.ts: two: is left to do/);
  assert.match(stdout, /b\.test\.ts: holds no tests/);
});

test("words choose files, and words that fit none fail", (t) => {
  const files = { "front.test.ts": 'test("one", () => {});', "hub.test.ts": 'test("two", () => {});' };
  assert.equal(run(t, files, ["fro"]).last, "1 passed, 0 failed");
  const none = run(t, files, ["nothing"]);
  assert.equal(none.last, "0 passed, 0 failed");
  assert.equal(none.status, 1);
});

test("a process that outlives its test is ended, and the run's temporary files go", (t) => {
  const { last, stdout, folder } = run(t, {
    "a.test.ts": `
      import { spawn } from "node:child_process";
      import { writeFileSync } from "node:fs";
      test("leaves a process", () => {
        const child = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
        child.unref();
        writeFileSync("left.json", JSON.stringify({ pid: child.pid, temporary: process.env["TMPDIR"] }));
      });`,
  });
  assert.equal(last, "1 passed, 0 failed", stdout);
  const { pid, temporary } = JSON.parse(readFileSync(path.join(folder, "left.json"), "utf8")) as {
    pid: number;
    temporary: string;
  };
  assert.match(stdout, new RegExp(`left over and is ended: ${pid} sleep`));
  // Gone, or ended and not yet fetched by its parent.
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : ") Z";
  assert.match(stat, /\) Z/, "the process lives on");
  assert.throws(() => readFileSync(temporary), { code: "ENOENT" });
});
