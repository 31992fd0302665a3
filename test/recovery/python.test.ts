/** A client without the feature, python-socketio: it gets one more argument, starts anew after a cut, and works. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import test, { before } from "node:test";
import { promisify } from "node:util";
import { fileScope } from "../hub/fleet.js";
import { root, startNode, type TestNode } from "../support/node.js";
import { CLAIM } from "./returning.js";

const PYTHON = path.join(root, ".tools/venv/bin/python");
const scope = fileScope();
let node: TestNode;

before(async () => {
  assert.ok(
    existsSync(PYTHON),
    "the Python client is missing: node tools/ensure-tools.mjs installs it into .tools/venv",
  );
  node = await startNode({ app: "test/clients/app.mjs", args: ["--recovery"] }, scope);
});

for (const transport of ["polling", "websocket"]) {
  test(`Python over ${transport}: each event ends in a claim, and after a cut there is a new session`, async () => {
    const run = promisify(execFile);
    const { stdout } = await run(PYTHON, [path.join(root, "test/recovery/client.py"), node.url, transport], {
      timeout: 60_000,
    });
    const { heard, ids, answer } = JSON.parse(stdout) as { heard: string[][]; ids: string[]; answer: string };
    assert.deepEqual(
      heard.map(([room, message]) => [room, message]),
      [
        ["room", "first"],
        ["room", "second"],
      ],
    );
    for (const args of heard) assert.match(args[2] ?? "", CLAIM);
    assert.equal(new Set(ids).size, 2);
    assert.equal(answer, "0100", "an event with ack carries none");
    assert.equal(await node.metric("limpet_recoveries_total"), 0, "it never asks for its session");
  });
}
