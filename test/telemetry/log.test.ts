import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import test from "node:test";

/** What a process writes to stdout that has `log` and runs these statements. */
function linesOf(options: string, statements: string): Record<string, unknown>[] {
  const module = new URL("../../src/telemetry/log.ts", import.meta.url).href;
  const script = `import { createLogger } from ${JSON.stringify(module)}; const log = createLogger(${options}); ${statements}`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", script],
    { encoding: "utf8", cwd: fileURLToPath(new URL("../..", import.meta.url)) },
  );
  assert.equal(status, 0, stderr);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("a fact is one JSON line with level, ISO time, node, worker and its own fields", () => {
  const [line, ...others] = linesOf(
    '{ level: "info", node: 3, worker: 1 }',
    'log.info({ port: 3000 }, "ready\\nnow"); log.debug("no");',
  );
  assert.equal(others.length, 0);
  const { time, ...rest } = line ?? {};
  assert.deepEqual(rest, { level: "info", node: 3, worker: 1, port: 3000, msg: "ready\nnow" });
  assert.equal(new Date(String(time)).toISOString(), time);
});

test("an error is logged with message, stack and cause, and the last line before an exit is not lost", () => {
  const [line] = linesOf(
    '{ level: "error", node: 0 }',
    'log.fatal({ err: new Error("outer", { cause: new Error("inner") }) }, "over"); process.exit(0);',
  );
  const error = line?.["err"] as { message: string; stack: string };
  assert.match(error.message, /outer.*inner/);
  assert.match(error.stack, /caused by: Error: inner/);
  assert.equal(line?.["level"], "fatal");
});

test("the level `silent` writes nothing", () => {
  assert.deepEqual(linesOf('{ level: "silent", node: 0 }', 'log.fatal("x");'), []);
});
