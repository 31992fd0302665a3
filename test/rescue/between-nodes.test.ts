/** A request for a session of another node gets there, by every transport, and its answer comes back. */
import assert from "node:assert/strict";
import test from "node:test";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { RawConnection, rawRequest, requestBytes } from "../support/raw-http.js";
import { startRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";
import { nodeOf, rescued, startFleet, startMember, stray, strangerOf, TEXT, type Fleet } from "./fleet.js";

test("polls, POSTs, a large body and an upgrade pass through another node", async (t) => {
  const { a, b } = await startFleet(t);
  const { session, connection, poll, post } = await stray(t, a, b);
  assert.equal(nodeOf(session), 0);

  assert.equal((await post('420["echo","hello"]')).text, "ok");
  assert.equal((await poll()).text, '430["hello"]');
  const large = "x".repeat(900_000);
  assert.equal((await post(`421["echo","${large}"]`)).text, "ok");
  assert.equal((await poll()).text, `431["${large}"]`);

  const upgraded = await WebSocketSession.attach(t, { port: b.port }, session.handshake);
  upgraded.send("2probe");
  assert.equal(await upgraded.next(), "3probe");
  assert.equal((await poll()).text, "6");
  upgraded.send("5");
  upgraded.send(`422["echo","${large}"]`);
  assert.equal(await upgraded.next(), `432["${large}"]`);
  const before = await rescued(b, "forwarded");
  assert.equal(before, 6, "each of them was forwarded, once");
  assert.equal(await rescued(a, "forwarded"), 0);
  assert.equal(await a.metric("limpet_rescues_total", { target: "worker" }), 0, "each came to its worker at once");
  assert.equal(await a.metric("limpet_upgrades_total", { outcome: "completed" }), 1);
  assert.equal(connection.ended, false);
  await upgraded.close();
});

test("sessions on every worker are reached from every worker of the other node, each way, on one connection", async (t) => {
  const { a, b } = await startFleet(t);
  for (const [owner, through] of [
    [a, b],
    [b, a],
  ] as const) {
    const sessions = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const session = await PollingSession.open(t, { port: owner.port });
        await session.joinMain();
        return session;
      }),
    );
    const connections = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open(t, through.port)));
    for (const connection of connections) {
      for (const [n, { target }] of sessions.entries()) {
        const body = `42${n}["echo",${n}]`;
        assert.equal((await connection.request({ target, headers: TEXT, body })).text, "ok");
        assert.equal((await connection.request({ target })).text, `43${n}[${n}]`);
      }
    }
    assert.equal(await rescued(through, "forwarded"), sessions.length * connections.length * 2);
  }
});

test("a poll waits at the other node for as long as Engine.IO lets it: 25 s", async (t) => {
  const { a, b } = await startFleet(t);
  const { session, connection } = await stray(t, a, b);
  const started = performance.now();
  const response = await connection.request({ target: session.target }, 40_000);
  assert.equal(response.text, "2", "the ping of the session's owner");
  const waitedMs = performance.now() - started;
  assert.ok(waitedMs > 20_000, `it came after ${Math.round(waitedMs)} ms`);
});

test("a client that leaves its poll ends it at the owner, which frees the session", async (t) => {
  const { a, b } = await startFleet(t);
  const { session, connection } = await stray(t, a, b);
  await connection.write(requestBytes({ target: session.target }));
  await waitFor(async () => (await rescued(b, "forwarded")) > 0, { message: "the poll to be forwarded" });
  connection.close();
  await waitFor(async () => (await a.metric("limpet_connections")) === 0, { message: "the session to end" });
});

test("an answer without a length is whole for a client of HTTP/1.0", async (t) => {
  const { a, b } = await startFleet(t);
  // Engine.IO's refusal at the owner: the session does not live.
  for (const port of [a.port, b.port]) {
    const connection = await RawConnection.open(t, port);
    await connection.write(`GET ${strangerOf(0)} HTTP/1.0\r\nHost: limpet.test\r\n\r\n`);
    const { status, headers, text } = await connection.readResponse();
    assert.equal(status, 400);
    assert.equal(headers["transfer-encoding"], undefined);
    assert.deepEqual(JSON.parse(text), { code: 1, message: "Session ID unknown" });
  }
  assert.equal(await rescued(b, "forwarded"), 1);
});

test("a node that joins is found at its first session, however long the others' tables are good for", async (t) => {
  const redis = await startRedis(t);
  const env = { LIMPET_FLEET_LEASE_MS: "30000" };
  const old = await startMember(t, redis, 0, { env });
  const fresh = await startMember(t, redis, 1, { env });
  const { poll, post } = await stray(t, fresh, old);
  assert.equal((await post('420["echo",1]')).text, "ok");
  assert.equal((await poll()).text, "430[1]");
});

const nodeAt = async (t: test.TestContext, port: number, method = "GET", target = "/.limpet/node"): Promise<string> =>
  (await rawRequest(t, port, { method, target })).text;

test("a node says at its port who it is, and shadows nothing else of the app's", async (t) => {
  const { a, b } = (await startFleet(t)) satisfies Fleet;
  const [first, second, third] = (await Promise.all([a, a, b].map(async ({ port }) => nodeAt(t, port)))).map(
    (text) => JSON.parse(text) as { uid: string; id: number },
  );
  assert.deepEqual([first?.id, second?.id, third?.id], [0, 0, 1]);
  assert.equal(first?.uid, second?.uid);
  assert.notEqual(first?.uid, third?.uid);
  assert.equal(await nodeAt(t, a.port, "POST"), "the app's answer to POST /.limpet/node");
  assert.equal(await nodeAt(t, a.port, "GET", "/.limpet/"), "the app's answer to GET /.limpet/");
});

test("without Redis there are no other nodes: a session of one is unknown at once", async (t) => {
  const node = await startNode({ app: "test/rescue/app.ts" }, t);
  const { status, text } = await rawRequest(t, node.port, { target: strangerOf(7) });
  assert.equal(status, 400);
  assert.match(text, /Session ID unknown/);
  assert.equal(await rescued(node, "gone"), 1);
});
