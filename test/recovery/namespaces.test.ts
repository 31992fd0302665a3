/** Each namespace of a connection is a session of its own. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { connectTo, enter, fileScope, type Member } from "../hub/fleet.js";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { comeBack, leave, visitor, withoutClaims } from "./returning.js";

const scope = fileScope();
let node: TestNode;
let publisher: Member;

before(async () => {
  const env = { LIMPET_SOCKETIO_CONNECTION_STATE_RECOVERY: JSON.stringify({ skipMiddlewares: false }) };
  node = await startNode({ app: "test/recovery/middlewares.app.mjs", args: ["--recovery"], env }, scope);
  publisher = await connectTo(scope, node.url, 1);
});

const say = (nsp: string, text: string) =>
  publisher.run(({ io }, name, what) => void io.of(name).to("room").emit("said", name, what), nsp, text);

test("all namespaces of a connection come back, each with what it missed; auth goes with each", async () => {
  const main = await visitor(scope, node.url);
  const names = ["/open", "/private", "/dynamic-1"];
  const members = [main, ...(await Promise.all(names.map((nsp) => enter(main, nsp, { key: "right" }))))];
  const nsps = ["/", ...names];
  for (const member of members) {
    await member.run(({ socket }) => socket.join("room"));
    member.received.length = 0;
  }
  const ids = members.map(({ client }) => client.id);
  assert.equal(new Set(ids).size, nsps.length);
  for (const nsp of nsps) await say(nsp, "before");
  for (const member of members) await waitFor(() => member.received.length === 1);
  await leave(main);
  for (const nsp of nsps) await say(nsp, "while away");
  assert.deepEqual(await Promise.all(members.map((member) => comeBack(member))), [true, true, true, true]);
  for (const nsp of nsps) await say(nsp, "after");
  for (const [at, member] of members.entries()) {
    await waitFor(() => member.received.some(([name, , what]) => name === "said" && what === "after"));
    const said = withoutClaims(member.received).filter(([name]) => name === "said");
    assert.deepEqual(
      said,
      ["before", "while away", "after"].map((what) => ["said", nsps[at], what]),
    );
    assert.equal(member.client.id, ids[at]);
    const auth = await member.run(({ socket }) => (socket.handshake.auth as { key?: string }).key);
    assert.equal(auth, at === 0 ? undefined : "right");
  }
});

test("a client that brings the wrong auth is refused by the middleware, recovered or not", async () => {
  const main = await visitor(scope, node.url);
  const member = await enter(main, "/private", { key: "right" });
  await leave(main);
  member.client.auth = { key: "wrong" };
  assert.equal(await comeBack(main), true);
  await assert.rejects(comeBack(member), /wrong key/);
});

test("the secret of one namespace opens no session in another", async () => {
  const outcome = () => node.metric("limpet_recoveries_total", { outcome: "namespace" });
  const before = await outcome();
  const main = await visitor(scope, node.url);
  await leave(main);
  const { _pid: pid } = main.client as unknown as { _pid: string };
  const { io } = await import("socket.io-client");
  const thief = io(`${node.url}/open`, { forceNew: true, reconnection: false, auth: { pid, offset: "" } });
  scope.after(() => void thief.disconnect());
  await waitFor(() => thief.connected);
  assert.notEqual(thief.id, main.client.id);
  assert.equal((await outcome()) - before, 1);
  assert.equal(await comeBack(main), true, "and the session is where it was");
});
