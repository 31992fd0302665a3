import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { after } from "node:test";
import { exitOf } from "../support/children.js";
import { root, runNode } from "../support/node.js";
import { cpuSeconds } from "../front/kernel.js";

const FIXTURES = path.join(root, "test/app/fixtures");

/** What no compiler reads stands here, and not in files. */
const unreadable = mkdtempSync(path.join(tmpdir(), "limpet-app-"));
after(() => rmSync(unreadable, { recursive: true, force: true }));
for (const [file, text] of Object.entries({
  "package.json": '{ "type": "module" }',
  "syntax-error.js":
    'export default (io) => {\n  io.on("connection", (socket) => {\n    socket.on("x", (x => x);\n  });\n};\n',
  "syntax-error.ts":
    'import type { App } from "limpet";\n\nconst app: App = () => {\n  const rooms: string[] = ["a", "b";\n};\n',
  "imports-syntax-error.js": 'import "./syntax-error.js";\n\nexport default () => {};\n',
  "imports-syntax-error.ts": 'import { a } from "./syntax-error.ts";\n\nexport default (): void => a;\n',
})) {
  writeFileSync(path.join(unreadable, file), text);
}
const fileOf = (name: string): string => path.join(name.includes("syntax-error") ? unreadable : FIXTURES, name);

/** What a broken app must be told: the place in its own code, as `file:line`, and the reason. */
const broken: readonly { file: string; in?: string; line?: number; reason: RegExp }[] = [
  { file: "syntax-error.js", line: 3, reason: /SyntaxError/ },
  { file: "syntax-error.ts", line: 4, reason: /Expected "\]" but found ";"/ },
  { file: "imports-syntax-error.js", in: "syntax-error.js", line: 3, reason: /SyntaxError/ },
  { file: "imports-syntax-error.ts", in: "syntax-error.ts", line: 4, reason: /Expected "\]" but found ";"/ },
  { file: "imports-no-such-name.js", line: 2, reason: /SyntaxError: .*'rooms'/ },
  { file: "throws-at-import.js", line: 3, reason: /TypeError: Cannot read properties of undefined \(reading 'port'\)/ },
  { file: "throws-in-function.ts", line: 6, reason: /RangeError: there are no options/ },
  { file: "rejects.js", line: 3, reason: /Error: the database cannot be reached/ },
  { file: "no-default.js", reason: /no default export that is a function \(io, limpet\)/ },
  { file: "default-is-no-function.ts", reason: /no default export that is a function .* of type object/ },
  { file: "missing-import.js", reason: /Cannot find module .*there-is-no-such-file\.js/ },
  { file: "http-twice.js", line: 3, reason: /limpet\.http\(\) was called before/ },
  { file: "attaches.js", line: 2, reason: /io\.attach\(\) is not available/ },
  { file: "listens.js", line: 2, reason: /io\.listen\(\) is not available/ },
  { file: "bad-metric.js", line: 2, reason: /limpet_/ },
];

for (const { file, in: culprit = file, line, reason } of broken) {
  test(`${file}: the node ends with code 1 and says ${line === undefined ? "what is wrong" : `that line ${line} is`}`, async (t) => {
    const run = runNode({ app: fileOf(file) }, t);
    assert.deepEqual(await exitOf(run.child, 30_000, "the node"), { code: 1, signal: null });
    const [said, ...more] = run
      .output()
      .split("\n")
      .filter((text) => !text.startsWith("{"));
    assert.deepEqual(more, [], "one line, without a stack");
    assert.match(said ?? "", reason);
    const place = fileOf(culprit) + (line === undefined ? "" : `:${line}`);
    assert.ok(said?.startsWith("limpet: ") && said.includes(place), `${said} does not name ${place}`);
    const logged = run.logs().filter(({ msg }) => msg.startsWith("worker could not start"));
    assert.ok(logged.length >= 1 && logged.length <= 2, "each worker tried once");
    assert.match(String(logged[0]?.msg), reason);
  });
}

test("an app that is not there is a bad value of the configuration", async (t) => {
  const run = runNode({ app: path.join(FIXTURES, "nowhere.ts") }, t);
  assert.deepEqual(await exitOf(run.child, 30_000, "the node"), { code: 1, signal: null });
  assert.match(run.output(), /app = ".*nowhere\.ts" \(flag --app\): must be the path of a file/);
});

test("an app that does not start costs the node no more than its start", async (t) => {
  const run = runNode({ app: path.join(FIXTURES, "throws-at-import.js"), workers: 1 }, t);
  let usedSeconds = 0;
  const sample = setInterval(() => {
    if (run.child.exitCode === null) usedSeconds = cpuSeconds(run.child.pid);
  }, 20);
  t.after(() => clearInterval(sample));
  await exitOf(run.child, 30_000, "the node");
  t.diagnostic(`the primary used ${usedSeconds} s of CPU`);
  assert.ok(usedSeconds < 5);
  assert.equal(run.logs().filter(({ msg }) => msg.startsWith("worker could not start")).length, 1);
});
