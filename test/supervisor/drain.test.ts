/** A node that stops, and workers that a reload replaces, send their clients away one by one; each comes back once, elsewhere. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { io, type Socket } from "socket.io-client";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { root, startNode, type TestNode } from "../support/node.js";
import { rawRequest } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";

interface Client {
  readonly socket: Socket;
  readonly disconnects: string[];
}

async function connectClients(t: TestContext, { url }: TestNode, count: number): Promise<Client[]> {
  const clients = Array.from({ length: count }, (_, i) => {
    const transports = i % 2 === 0 ? ["websocket"] : ["polling"];
    const socket = io(url, { transports, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 300 });
    t.after(() => void socket.disconnect());
    const disconnects: string[] = [];
    socket.on("disconnect", (reason) => disconnects.push(reason));
    return { socket, disconnects };
  });
  await waitFor(() => clients.every(({ socket }) => socket.connected), { timeoutMs: 20_000 });
  return clients;
}

/** An app in a folder of its own, whose answer can be changed. */
function changingApp(t: TestContext): { file: string; write: (answer: string) => void } {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-reload-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "app.mjs");
  const write = (answer: string): void => {
    const version = `(ack) => ack(${JSON.stringify(answer)}, limpet.worker.slot)`;
    writeFileSync(file, `export default (io, limpet) => io.on("connection", (s) => s.on("version", ${version}));\n`);
  };
  write("one");
  return { file, write };
}

const versionsOf = async (clients: readonly Client[]): Promise<[string, number][]> =>
  Promise.all(
    clients.map(
      ({ socket }) =>
        new Promise<[string, number]>((resolve) =>
          socket.emit("version", (...answer: [string, number]) => resolve(answer)),
        ),
    ),
  );

test("SIGTERM closes clients at the set rate, refuses new ones with 503, and serves those that wait for their turn", async (t) => {
  const env = { LIMPET_DRAIN_PER_SECOND: "4", LIMPET_DRAIN_DEADLINE_MS: "20000" };
  const node = await startNode({ app: "test/supervisor/app.ts", workers: 1, env }, t);
  const sessions = await Promise.all(Array.from({ length: 12 }, () => WebSocketSession.open(t, { port: node.port })));
  for (const session of sessions) await session.joinMain();
  const startedAtMs = performance.now();
  const stopped = node.stop(30_000);
  await waitFor(async () => (await fetch(`${node.opsUrl}/readyz`)).status === 503, { message: "readiness to go" });
  const refused = await fetch(`${node.url}/socket.io/?EIO=4&transport=polling`);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "5");
  assert.equal(refused.headers.get("connection"), "close");
  const waiting = sessions.find(({ closed }) => !closed);
  assert.ok(waiting, "they are not closed all at once");
  waiting.send('421["echo","still served"]');
  assert.match(String(await waiting.next()), /still served/);
  await waitFor(() => sessions.every(({ closed }) => closed), { timeoutMs: 20_000 });
  const seconds = (performance.now() - startedAtMs) / 1_000;
  assert.ok(seconds >= 2.5, `12 sessions at 4 a second took ${seconds} s`);
  assert.deepEqual(await stopped, { code: 0, signal: null });
  await assert.rejects(() => fetch(`${node.url}/`));
});

test("a polling session whose worker drains is answered 503, and nothing that was sent to it is lost", async (t) => {
  const node = await startNode({ app: "test/supervisor/app.ts", workers: 1 }, t);
  const session = await PollingSession.open(t, { port: node.port });
  await session.joinMain();
  await session.post('421["echo","before"]');
  const url = `${node.url}/socket.io/?EIO=4&transport=polling&sid=${session.handshake.sid}`;
  const stopped = node.stop(30_000);
  const answers: (string | number)[] = [];
  for (let status = 200; status === 200;) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    status = answer.status;
    answers.push(status === 200 ? await answer.text() : status);
  }
  assert.deepEqual(answers, ['431["before"]', 503]);
  assert.deepEqual(await stopped, { code: 0, signal: null });
});

test("what a polling client had posted when it saw the 503 is read, and its goodbye is answered ok, however late it comes", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-goodbye-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [app, ledger] = [path.join(folder, "app.mjs"), path.join(folder, "heard")];
  writeFileSync(ledger, "");
  const keep = `(word) => appendFileSync(${JSON.stringify(ledger)}, word)`;
  const listen = `export default (io) => io.on("connection", (socket) => socket.on("word", ${keep}));`;
  writeFileSync(app, `import { appendFileSync } from "node:fs";\n${listen}\n`);
  const node = await startNode({ app, workers: 1 }, t);
  const post = async (target: string, body: string): Promise<[number, string]> => {
    const { status, text } = await rawRequest(t, node.port, { method: "POST", target, body });
    return [status, text];
  };
  const sessions = await Promise.all(Array.from({ length: 5 }, () => PollingSession.open(t, { port: node.port })));
  for (const session of sessions) await session.joinMain();
  const left = sessions.map(async (session, i) => {
    await assert.rejects(session.poll(20_000), { status: 503 });
    const [status] = await post(session.target, `42["word","${i}"]`);
    return { word: status === 200 ? String(i) : "", goodbye: await post(session.target, "1") };
  });
  node.signal("SIGHUP");
  const answers = await Promise.all(left);
  const heard = [...readFileSync(ledger, "utf8")].sort().join("");
  assert.equal(heard, answers.map(({ word }) => word).join(""));
  // A machine on which such a request takes too long for all of them is not thought of.
  assert.notEqual(heard, "", "what came at once was read");
  const ok = [200, "ok"];
  for (const { goodbye } of answers) assert.deepEqual(goodbye, ok);

  const { target } = sessions[0] as PollingSession;
  assert.deepEqual(await post(target, "1"), ok, "the session is gone");
  await node.waitForLog(({ msg }) => msg === "reload: done", 60_000);
  assert.deepEqual(await post(target, "1"), ok, "and so is the worker that had it");
  const unknown = [400, '{"code":1,"message":"Session ID unknown"}'];
  assert.deepEqual(await post(target, "3"), unknown);
  assert.deepEqual(await post(target, '42["word","lost"]'), unknown);
  assert.equal((await post("/socket.io/?EIO=4&transport=polling", "1"))[0], 400, "a goodbye is said to somebody");
});

test("requests that reach a worker while it drains and ends are all answered", async (t) => {
  const node = await startNode({ app: "test/supervisor/app.ts", workers: 1 }, t);
  const session = await PollingSession.open(t, { port: node.port });
  await session.joinMain();
  const left = assert.rejects(session.poll(20_000), { status: 503 });
  node.signal("SIGHUP");
  await left;
  const isOver = (): boolean => node.logs().some(({ msg }) => msg === "reload: done");
  const outcomes = new Map<number | string, number>();
  const ask = async (): Promise<void> => {
    for (let isLast = false; !isLast;) {
      isLast = isOver();
      const outcome = await rawRequest(t, node.port, { target: session.target, body: "3" }).then(
        ({ status }) => status,
        (error: unknown) => String(error),
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 20 }, ask));
  t.diagnostic(JSON.stringify([...outcomes]));
  // Read by its session as long as there is one; 503 says that it was not known yet that there is none.
  assert.deepEqual(
    [...outcomes.keys()].filter((outcome) => outcome !== 200 && outcome !== 400),
    [],
  );
  assert.ok(outcomes.has(400), "there were requests when the session had gone");
});

test("SIGHUP and `limpet reload` replace the workers and their code; each client is sent away once, and serves on new slots", async (t) => {
  const app = changingApp(t);
  const node = await startNode({ app: app.file, env: { LIMPET_DRAIN_PER_SECOND: "50" } }, t);
  const clients = await connectClients(t, node, 20);
  assert.deepEqual(new Set((await versionsOf(clients)).map(([version]) => version)), new Set(["one"]));

  app.write("two");
  node.signal("SIGHUP");
  await node.waitForLog(({ msg }) => msg === "reload: done", 60_000);
  await waitFor(() => clients.every(({ socket }) => socket.connected), { timeoutMs: 20_000 });
  const afterFirst = await versionsOf(clients);
  assert.deepEqual(new Set(afterFirst.map(([version]) => version)), new Set(["two"]));
  assert.ok(
    afterFirst.every(([, slot]) => slot >= 2),
    "new workers have slots of their own",
  );
  assert.deepEqual(
    clients.map(({ disconnects }) => disconnects.length),
    clients.map(() => 1),
  );

  app.write("three");
  const cli = path.join(root, "dist/cli/main.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, "reload", "--ops-port", String(node.opsPort)], {
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /New workers are in service/);
  await waitFor(() => node.logs().filter(({ msg }) => msg === "reload: done").length === 2, { timeoutMs: 60_000 });
  await waitFor(() => clients.every(({ socket }) => socket.connected), { timeoutMs: 20_000 });
  const afterSecond = await versionsOf(clients);
  assert.ok(afterSecond.every(([version, slot]) => version === "three" && slot < 2));
  assert.deepEqual(
    clients.map(({ disconnects }) => disconnects.length),
    clients.map(() => 2),
  );
});

test("a reload whose app is broken leaves the old workers alone, and says why", async (t) => {
  const app = changingApp(t);
  const node = await startNode({ app: app.file }, t);
  const clients = await connectClients(t, node, 4);
  writeFileSync(app.file, "export default () => { throw new Error('broken on purpose'); };\n");
  const cli = path.join(root, "dist/cli/main.js");
  const { status, stderr } = spawnSync(process.execPath, [cli, "reload", "--ops-port", String(node.opsPort)], {
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(status, 1);
  assert.match(stderr, /broken on purpose/);
  await waitFor(async () => (await node.workers()).every(({ state }) => state === "ready"), { timeoutMs: 20_000 });
  assert.equal((await node.workers()).length, 2);
  assert.deepEqual(new Set((await versionsOf(clients)).map(([version]) => version)), new Set(["one"]));
  assert.ok(clients.every(({ disconnects }) => disconnects.length === 0));
  app.write("mended");
  node.signal("SIGHUP");
  await node.waitForLog(({ msg }) => msg === "reload: done", 60_000);
});
