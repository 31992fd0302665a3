import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { WebSocketSession } from "../support/engine-client.js";
import { freePort } from "../support/free-port.js";
import { runNode, startNode, type TestNode } from "../support/node.js";
import { exitOf } from "../support/children.js";
import { waitFor } from "../support/wait.js";
import { isAlive } from "../front/kernel.js";

interface Started {
  readonly node: TestNode;
  /** Where it keeps its sockets. */
  readonly folder: string;
  /** Primary and workers. */
  readonly pids: readonly number[];
}

async function start(t: test.TestContext, env: Record<string, string> = {}): Promise<Started> {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-stop-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const node = await startNode({ app: "test/supervisor/app.ts", env: { TMPDIR: folder, ...env } }, t);
  const pids = [node.pid, ...(await node.workers()).map(({ pid }) => pid)];
  assert.equal(socketFolders(folder).length, 1);
  return { node, folder, pids };
}

const socketFolders = (folder: string): string[] => readdirSync(folder).filter((name) => name.startsWith("limpet-"));

async function nobodyLeft({ pids }: Started): Promise<void> {
  await waitFor(() => !pids.some(isAlive), { message: () => `the end of ${pids.filter(isAlive).join(", ")}` });
}

/** Blocks one worker for ever; returns when it is blocked. */
async function blockOne(t: test.TestContext, { node }: Started): Promise<void> {
  const session = await WebSocketSession.open(t, { port: node.port });
  await session.joinMain();
  session.send('42["block"]');
  session.send('421["echo","x"]');
  // The worker's metrics stand still: a blocked one beats no more.
  await assert.rejects(() => session.next(1_500));
}

async function readiness({ node }: Started): Promise<number> {
  return (await fetch(`${node.opsUrl}/readyz`, { signal: AbortSignal.timeout(2_000) })).status;
}

test("SIGTERM closes the clients, ends every process with code 0 and leaves no file", async (t) => {
  const started = await start(t);
  const sessions = await Promise.all(
    Array.from({ length: 10 }, () => WebSocketSession.open(t, { port: started.node.port })),
  );
  for (const session of sessions) await session.joinMain();
  assert.deepEqual(await started.node.stop(), { code: 0, signal: null });
  await waitFor(() => sessions.every(({ closed }) => closed));
  await nobodyLeft(started);
  assert.deepEqual(socketFolders(started.folder), []);
  assert.equal(started.node.logs().at(-1)?.msg, "stopped");
  assert.ok(
    !started.node.logs().some(({ level }) => ["warn", "error", "fatal"].includes(level)),
    started.node.output(),
  );
});

test("while the node stops it is not ready and takes no connections; a blocked worker is killed at the limit", async (t) => {
  const started = await start(t, { LIMPET_SUPERVISOR_STOP_TIMEOUT_MS: "4000" });
  await blockOne(t, started);
  assert.equal(await readiness(started), 200);
  started.node.signal("SIGTERM");
  await waitFor(async () => (await readiness(started)) === 503, { message: "readiness to go" });
  await assert.rejects(() => WebSocketSession.open(t, { port: started.node.port }));
  assert.deepEqual(await started.node.stop(), { code: 0, signal: null });
  assert.equal(started.node.logs().filter(({ msg }) => msg.startsWith("worker killed")).length, 1);
  await nobodyLeft(started);
  assert.deepEqual(socketFolders(started.folder), []);
});

test("a second SIGTERM ends the node at once, blocked workers too", async (t) => {
  const started = await start(t, { LIMPET_SUPERVISOR_STOP_TIMEOUT_MS: "600000" });
  await blockOne(t, started);
  started.node.signal("SIGTERM");
  await waitFor(async () => (await readiness(started)) === 503, { message: "readiness to go" });
  // Signals that come together count as one: a terminal and npm both pass on the same Ctrl+C.
  const again = (): boolean => {
    if (isAlive(started.node.pid)) started.node.signal("SIGTERM");
    return !isAlive(started.node.pid);
  };
  await waitFor(again, { timeoutMs: 5_000, intervalMs: 100, message: "the primary's end" });
  await nobodyLeft(started);
  assert.deepEqual(socketFolders(started.folder), []);
});

test("workers end by themselves when the primary is killed", async (t) => {
  const started = await start(t);
  const session = await WebSocketSession.open(t, { port: started.node.port });
  started.node.signal("SIGKILL");
  await nobodyLeft(started);
  await waitFor(() => session.closed);
});

test("SIGTERM to a node that still starts ends it at once, with all it has started", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-starting-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const env = { TMPDIR: folder, LIMPET_LOG_LEVEL: "debug" };
  const run = runNode({ app: "test/supervisor/waiting.app.ts", env }, t);
  const started = (): number[] => run.logs().flatMap(({ msg, pid }) => (msg === "worker started" ? [Number(pid)] : []));
  await waitFor(() => started().length === 2);
  run.child.kill("SIGTERM");
  assert.deepEqual(await exitOf(run.child, 5_000, "the node"), { code: 1, signal: null });
  await waitFor(() => !started().some(isAlive), { message: "the end of the workers" });
  assert.deepEqual(socketFolders(folder), []);
});

for (const [what, flag] of [
  ["the clients' port", "--port"],
  ["the ops port", "--ops-port"],
] as const) {
  test(`a node that finds ${what} taken says so in one line and ends with code 1`, async (t) => {
    const port = await freePort();
    await startNode({ workers: 1, args: [flag, String(port)] }, t);
    const folder = mkdtempSync(path.join(tmpdir(), "limpet-taken-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const run = runNode({ workers: 1, args: [flag, String(port)], env: { TMPDIR: folder } }, t);
    assert.deepEqual(await exitOf(run.child, 20_000, "the second node"), { code: 1, signal: null });
    const lines = run.output().split("\n");
    const plain = lines.filter((line) => !line.startsWith("{"));
    assert.equal(plain.length, 1, run.output());
    assert.match(plain[0] ?? "", new RegExp(`^limpet: .*address already in use.*:${port}`));
    assert.deepEqual(socketFolders(folder), []);
  });
}
