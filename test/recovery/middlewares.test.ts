/** Middlewares and recovery: skipped or not, slow, refusing; and a client that comes back while an earlier return of its own still waits in one. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { connectTo, fileScope, type Inside, type Member } from "../hub/fleet.js";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { comeBack, leave, visitor, withoutClaims } from "./returning.js";

const scope = fileScope();
const APP = "test/recovery/middlewares.app.mjs";

type Gated = Inside & { readonly runs: number; readonly gates: Map<string, () => void> };

let skipping: TestNode;
let running: TestNode;
/** One on each worker of the node whose middlewares run. */
let publishers: Member[];

before(async () => {
  const options = (skipMiddlewares: boolean) => ({
    app: APP,
    args: ["--recovery"],
    env: { LIMPET_SOCKETIO_CONNECTION_STATE_RECOVERY: JSON.stringify({ skipMiddlewares }) },
  });
  [skipping, running] = await Promise.all([startNode(options(true), scope), startNode(options(false), scope)]);
  publishers = [await connectTo(scope, running.url, 0), await connectTo(scope, running.url, 1)];
});

const runsOf = (member: Member) => member.run((inside) => (inside as Gated).runs);
const count = (node: TestNode, outcome: string) => node.metric("limpet_recoveries_total", { outcome });

/** Opens the gate in whichever worker it is. */
async function open(gate: string): Promise<void> {
  await waitFor(async () => {
    const opened = await Promise.all(
      publishers.map((publisher) =>
        publisher.run((inside, name) => {
          const { gates } = inside as Gated;
          gates.get(name)?.();
          return gates.delete(name);
        }, gate),
      ),
    );
    return opened.includes(true);
  });
}

const isWaiting = async (gate: string): Promise<boolean> => {
  const ask = (member: Member) => member.run((inside, name) => (inside as Gated).gates.has(name), gate);
  return (await Promise.all(publishers.map(ask))).includes(true);
};

test("with skipMiddlewares a recovered socket passes none; one that is not recovered passes all", async () => {
  const watch = await connectTo(scope, skipping.url, 0);
  const other = await connectTo(scope, skipping.url, 1);
  const total = async () => (await runsOf(watch)) + (await runsOf(other));
  const member = await visitor(scope, skipping.url);
  const before = await total();
  await leave(member);
  assert.equal(await comeBack(member), true);
  assert.equal(await total(), before);
  member.client.disconnect();
  assert.equal(await comeBack(member), false);
  assert.equal(await total(), before + 1);
});

test("without it they run, with the recovered socket and its data in their hands", async () => {
  const member = await visitor(scope, running.url);
  await member.run(({ socket }) => {
    socket.data = { name: "Ada" };
    return socket.join("a");
  });
  await leave(member);
  assert.equal(await comeBack(member), true);
  const data = await member.run(({ socket }) => socket.data as unknown);
  assert.deepEqual(data, { name: "Ada", seenByMiddleware: 1 });
  await leave(member);
  assert.equal(await comeBack(member), true);
  assert.deepEqual(await member.run(({ socket }) => socket.data as unknown), { name: "Ada", seenByMiddleware: 2 });
});

test("what comes while a middleware takes its time follows what was missed, before what the app says on connection", async () => {
  const member = await visitor(scope, running.url);
  await member.run(({ socket }) => socket.join("slow"));
  await waitFor(() => member.received.length === 1);
  assert.deepEqual(withoutClaims(member.received.splice(0)), [["welcome", false]]);
  await leave(member);
  for (const publisher of publishers)
    await publisher.run(({ io, limpet }) => void io.to("slow").emit("missed", limpet.worker.slot));
  member.client.auth = { gate: "slow" };
  const returning = comeBack(member);
  await waitFor(() => isWaiting("slow"));
  for (const publisher of publishers) {
    await publisher.run(({ io, limpet }) => {
      io.to("slow").emit("meanwhile", limpet.worker.slot);
      io.to("slow").emit("binary", Buffer.from([limpet.worker.slot]));
      io.to("elsewhere").emit("meanwhile", "not for it");
      io.to("slow").except("slow").emit("meanwhile", "for nobody");
      io.to("slow").volatile.emit("meanwhile", "volatile");
    });
  }
  // An answer of the other worker comes behind what that was sent before.
  for (const publisher of publishers) await publisher.run(async ({ io }) => (await io.fetchSockets()).length);
  assert.deepEqual(member.received, []);
  await open("slow");
  assert.equal(await returning, true);
  await waitFor(() => member.received.length === 7);
  const events = withoutClaims(member.received);
  // Between two workers there is no order.
  assert.deepEqual(events.slice(0, 2).sort(), [
    ["missed", 0],
    ["missed", 1],
  ]);
  for (const worker of [0, 1]) {
    const ofWorker = events.slice(2, 6).filter(([, from]) => (Buffer.isBuffer(from) ? from[0] : from) === worker);
    assert.deepEqual(ofWorker, [
      ["meanwhile", worker],
      ["binary", Buffer.from([worker])],
    ]);
  }
  assert.deepEqual(events[6], ["welcome", true]);
});

test("a connection that breaks while a middleware waits gives the session back, with all that came meanwhile", async () => {
  const member = await visitor(scope, running.url);
  await member.run(({ socket }) => socket.join("broken"));
  const { id } = member.client;
  await waitFor(() => member.received.length === 1);
  await leave(member);
  for (const gate of ["first", "second"]) {
    member.client.auth = { gate };
    member.client.connect();
    await waitFor(() => isWaiting(gate));
    await publishers[0]?.run(({ io }, during) => void io.to("broken").emit("during", during), gate);
    member.client.io.engine.close();
    await waitFor(() => !member.client.active || member.client.io._readyState === "closed");
  }
  member.client.auth = {};
  assert.equal(await comeBack(member), true);
  await waitFor(() => member.received.length === 4);
  // Their middlewares answer late: nothing comes of it.
  await open("first");
  await open("second");
  await publishers[1]?.run(({ io }) => void io.to("broken").emit("after"));
  await waitFor(() => member.received.length === 5);
  assert.equal(member.client.id, id);
  assert.deepEqual(withoutClaims(member.received), [
    ["welcome", false],
    ["during", "first"],
    ["during", "second"],
    ["welcome", true],
    ["after"],
  ]);
});

test("a client that comes back while its earlier return still waits in a middleware has the session, and that one comes to nothing", async () => {
  const member = await visitor(scope, running.url);
  await member.run(({ socket }) => socket.join("twice"));
  await waitFor(() => member.received.length === 1);
  const { id } = member.client;
  await leave(member);
  const auth = { pid: (member.client as unknown as { _pid: string })._pid };
  // Another connection with the same secret: what a client leaves behind that lost its network and did not notice.
  const ghost = await ghostOf(running.url, { ...auth, gate: "ghost" });
  await waitFor(() => isWaiting("ghost"));
  assert.equal(await comeBack(member), true);
  await ghost.closed;
  await open("ghost");
  await publishers[1]?.run(({ io }) => void io.to("twice").emit("after"));
  await waitFor(() => member.received.some(([name]) => name === "after"));
  assert.equal(member.client.id, id);
  assert.deepEqual(
    withoutClaims(member.received).map(([name]) => name),
    ["welcome", "welcome", "after"],
  );
  const sockets = await Promise.all(
    publishers.map((publisher) => publisher.run(({ io }, wanted) => io.of("/").sockets.has(wanted), String(id))),
  );
  assert.equal(sockets.filter(Boolean).length, 1);
});

test("a middleware that refuses ends the session", async () => {
  const member = await visitor(scope, running.url);
  await leave(member);
  const before = await count(running, "ended");
  member.client.auth = { refuse: true };
  await assert.rejects(comeBack(member), (error: Error & { data?: unknown }) => {
    assert.deepEqual([error.message, error.data], ["no entry", { code: 7 }]);
    return true;
  });
  member.client.auth = {};
  assert.equal(await comeBack(member), false);
  assert.equal((await count(running, "ended")) - before, 1);
});

async function ghostOf(url: string, auth: Record<string, unknown>): Promise<{ closed: Promise<unknown> }> {
  const { io } = await import("socket.io-client");
  const ghost = io(url, { forceNew: true, reconnection: false, transports: ["websocket"], auth });
  scope.after(() => void ghost.disconnect());
  const closed = new Promise((resolve) => ghost.io.once("close", resolve));
  return { closed };
}
