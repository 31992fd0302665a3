/** Node ids as whole nodes have them: leased, fixed, refused, given up, and told apart by who answers at an address. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import type { FleetNode } from "../../src/bus/node-record.js";
import { parseSid } from "../../src/routing/address.js";
import { exitOf } from "../support/children.js";
import { freePort } from "../support/free-port.js";
import { root, runNode, startNode, type NodeOptions } from "../support/node.js";
import { newRedis, startRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";

const LEASE_MS = 3000;
const run = promisify(execFile);

function options(url: string, ...args: readonly string[]): NodeOptions {
  return {
    workers: 1,
    args: ["--redis", url, ...args],
    env: { LIMPET_FLEET_LEASE_MS: String(LEASE_MS), LIMPET_BUS_START_TIMEOUT_MS: "1000" },
  };
}

async function nodesOf(url: string): Promise<FleetNode[]> {
  const main = path.join(root, "dist/cli/main.js");
  const { stdout } = await run(process.execPath, [main, "nodes", "--json", "--redis", url], { timeout: 20_000 });
  return JSON.parse(stdout) as FleetNode[];
}

/** Opens a session. @returns the number of the node in its id */
async function nodeOfSession(url: string): Promise<number | undefined> {
  const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
  const { sid } = JSON.parse((await response.text()).slice(1)) as { sid: string };
  return parseSid(sid)?.node;
}

test("nodes with one Redis lease numbers, which their sessions' ids carry, and stand in the list until they end", async (t) => {
  const redis = await startRedis(t);
  const first = await startNode(options(redis.url), t);
  const second = await startNode(options(redis.url, "--advertise", "localhost"), t);
  const listed = await nodesOf(redis.url);
  assert.deepEqual(
    listed.map(({ id, address, workers, fixed }) => ({ id, address, workers, fixed })),
    [
      { id: 0, address: `127.0.0.1:${first.port}`, workers: 1, fixed: false },
      { id: 1, address: `localhost:${second.port}`, workers: 1, fixed: false },
    ],
  );
  for (const [id, { url, port }] of [first, second].entries()) {
    assert.equal(await nodeOfSession(url), id);
    const who = await fetch(`http://127.0.0.1:${port}/.limpet/node`);
    assert.deepEqual(await who.json(), { uid: listed[id]?.uid, id });
  }
  await waitFor(async () => (await nodesOf(redis.url)).every(({ sessions }) => sessions === 1));

  await first.kill();
  await waitFor(async () => (await nodesOf(redis.url)).length === 1, { timeoutMs: 20_000 });
  assert.deepEqual(await second.stop(), { code: 0, signal: null });
  assert.deepEqual(await nodesOf(redis.url), []);
});

test("a node whose fixed number is held says by whom, and ends with 1; once its holder was killed it gets it, at the same port too", async (t) => {
  const redis = await startRedis(t);
  const port = String(await freePort());
  const holder = await startNode(options(redis.url, "--node-id", "3", "--port", port), t);
  const refused = runNode(options(redis.url, "--node-id", "3"), t);
  assert.deepEqual(await exitOf(refused.child, 20_000, "the refused node"), { code: 1, signal: null });
  assert.match(
    refused.output().split("\n").at(-1) ?? "",
    new RegExp(`^limpet: node id 3 is held by the node at 127\\.0\\.0\\.1:${port} \\(started [-0-9T:.]+Z\\)$`),
  );

  await holder.kill();
  const again = await startNode(options(redis.url, "--node-id", "3", "--port", port), t);
  assert.equal(await nodeOfSession(again.url), 3);
});

test("of two nodes that were started with one number while Redis was away, the later one ends with 1 when it comes", async (t) => {
  const redis = await newRedis(t);
  const older = await startNode(options(redis.url, "--node-id", "3"), t);
  const newer = runNode(options(redis.url, "--node-id", "3"), t);
  await newer.waitForLog(({ msg }) => msg === "ready", 30_000);
  await redis.start();
  assert.deepEqual(await exitOf(newer.child, 30_000, "the later node"), { code: 1, signal: null });
  assert.match(newer.output(), /^limpet: node id 3 is held by the node at /m);
  assert.equal(await nodeOfSession(older.url), 3);
  const left = await nodesOf(redis.url);
  assert.deepEqual(
    left.map(({ id, address }) => [id, address]),
    [[3, `127.0.0.1:${older.port}`]],
  );
});
