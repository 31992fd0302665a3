/** The behaviour test of stock clients, with python-socketio: client.py makes the checks, each is a test here. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import test, { after, before } from "node:test";
import { promisify } from "node:util";
import { root, startNode, type TestNode } from "../support/node.js";
import { CHECKS, TRANSPORTS, type TransportName } from "./checks.js";

const PYTHON = path.join(root, ".tools/venv/bin/python");
const CLIENT = path.join(root, "test/clients/client.py");
const TIMEOUT_MS = 60_000;

interface Result {
  readonly check: string;
  /** Null where it passed. */
  readonly error: string | null;
}

let node: TestNode;
const results = new Map<TransportName, Promise<Result[]>>();

before(async () => {
  assert.ok(
    existsSync(PYTHON),
    "the Python client is missing: node tools/ensure-tools.mjs installs it into .tools/venv",
  );
  node = await startNode({ app: "test/clients/app.mjs" });
});
after(async () => {
  await node.stop();
});

async function runClient(transport: TransportName): Promise<Result[]> {
  const run = promisify(execFile);
  const { stdout } = await run(PYTHON, [CLIENT, node.url, transport], { timeout: TIMEOUT_MS });
  return JSON.parse(stdout) as Result[];
}

function resultsOf(transport: TransportName): Promise<Result[]> {
  const running = results.get(transport) ?? runClient(transport);
  results.set(transport, running);
  return running;
}

for (const transport of TRANSPORTS) {
  for (const check of CHECKS) {
    test(`Python, ${transport}: ${check}`, async () => {
      const result = (await resultsOf(transport)).find((one) => one.check === check);
      assert.ok(result !== undefined, "client.py made this check");
      assert.equal(result.error, null);
    });
  }
}
