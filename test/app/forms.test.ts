import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { startNode } from "../support/node.js";

for (const [file, answer] of Object.entries({
  "imports.ts": "warm greetings from TypeScript",
  "common.cjs": "from CommonJS",
  "compiled.cjs": "from compiled CommonJS",
})) {
  test(`${file} runs as it is`, async (t) => {
    const node = await startNode({ app: path.join("test/app/fixtures", file), workers: 1 }, t);
    assert.equal(await (await fetch(`${node.url}/`)).text(), answer);
  });
}
