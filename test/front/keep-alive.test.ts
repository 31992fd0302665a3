import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type PollingSession, WebSocketSession } from "../support/engine-client.js";
import { startNode, type TestNode } from "../support/node.js";
import { RawConnection } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";
import { sessionOnEach } from "./sessions.js";

const APP = "test/front/app.ts";
const headers = { "Content-Type": "text/plain;charset=UTF-8" };

/** One session on each of two workers. */
async function two(t: test.TestContext, { port }: TestNode): Promise<[PollingSession, PollingSession]> {
  const [zero, one] = await sessionOnEach(t, { port });
  assert.ok(zero !== undefined && one !== undefined);
  return [zero, one];
}

const forwarded = (node: TestNode): Promise<number> =>
  node.metric("limpet_rescues_total", { target: "worker", outcome: "forwarded" });

async function pidOf(node: TestNode, slot: number): Promise<number> {
  const pid = (await node.workers()).find((worker) => worker.slot === slot)?.pid;
  assert.ok(pid !== undefined);
  return pid;
}

test("one connection carries polls and POSTs of sessions on two workers, and then an upgrade of the other one's", async (t) => {
  const node = await startNode({ app: APP }, t);
  const connection = await RawConnection.open(t, node.port);
  const ROUNDS = 20;
  const [zero, one] = await two(t, node);
  const say = async (session: PollingSession, body: string): Promise<void> => {
    const response = await connection.request({ target: session.target, headers, body });
    assert.deepEqual([response.status, response.text], [200, "ok"]);
    assert.notEqual(response.headers["connection"], "close");
  };
  const hear = async (session: PollingSession): Promise<string> => {
    const response = await connection.request({ target: session.target });
    assert.equal(response.status, 200);
    assert.notEqual(response.headers["connection"], "close");
    return response.text;
  };
  for (const session of [zero, one]) {
    await say(session, "40");
    assert.match(await hear(session), /^40\{"sid"/);
  }
  for (let i = 0; i < ROUNDS; i++) {
    for (const session of [zero, one]) {
      await say(session, `42${i}["echo","${session.sid}"]`);
      assert.equal(await hear(session), `43${i}["${session.sid}"]`);
    }
  }
  // The connection is worker 0's, since its first request was for a session there.
  assert.equal(await forwarded(node), 2 * (ROUNDS + 1), "every request for worker 1's session was forwarded, no other");

  const upgraded = await WebSocketSession.attach(t, { port: node.port }, one.handshake, connection.socket);
  upgraded.send("2probe");
  assert.equal(await upgraded.next(), "3probe");
  assert.deepEqual(await one.poll(), ["6"]);
  upgraded.send("5");
  upgraded.send('4299["echo","over WebSocket"]');
  assert.equal(await upgraded.next(), '4399["over WebSocket"]');
  assert.equal(await forwarded(node), 2 * (ROUNDS + 1) + 1);
  await upgraded.close();
  await node.waitForLog(({ msg, sid }) => msg === "session closed" && sid === one.sid);
});

test("a forwarded request and its answer pass as they are: preflights, an awaited 100, HTTP/1.0, refusals", async (t) => {
  const node = await startNode({ app: APP, env: { LIMPET_SOCKETIO_CORS: '{"origin":"https://app.limpet.test"}' } }, t);
  const [zero, one] = await two(t, node);
  const connection = await RawConnection.open(t, node.port);
  await connection.request({ target: zero.target, headers, body: "40" });
  const origin = { Origin: "https://app.limpet.test" };

  const asks = { ...origin, "Access-Control-Request-Method": "POST" };
  const preflight = await connection.request({ method: "OPTIONS", target: one.target, headers: asks });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers["access-control-allow-origin"], "https://app.limpet.test");

  const awaited = await connection.request({
    target: one.target,
    headers: { ...headers, ...origin, Expect: "100-continue" },
    body: "40",
  });
  assert.deepEqual([awaited.status, awaited.text], [200, "ok"]);
  assert.equal(awaited.headers["access-control-allow-origin"], "https://app.limpet.test");

  const refused = await connection.request({ method: "DELETE", target: one.target });
  assert.equal(refused.status, 500, "what Engine.IO says to a method it does not know");
  assert.equal(await forwarded(node), 3);

  await connection.write(`GET ${one.target} HTTP/1.0\r\nHost: a\r\n\r\n`);
  const old = await connection.readResponse();
  assert.equal(old.status, 200);
  assert.match(old.text, /^40\{"sid"/);
  await connection.waitForEnd();
});

test("a forwarded poll whose client goes away ends at the owner too", async (t) => {
  const node = await startNode({ app: APP }, t);
  const [zero, one] = await two(t, node);
  await one.joinMain();
  const connection = await RawConnection.open(t, node.port);
  await connection.request({ target: zero.target, headers, body: "40" });
  const poll = connection.request({ target: one.target });
  poll.catch(() => undefined);
  await waitFor(async () => (await forwarded(node)) === 1);
  connection.close();
  const { reason } = await node.waitForLog(({ msg, sid }) => msg === "session closed" && sid === one.sid, 5_000);
  assert.equal(reason, "transport error");
  await assert.rejects(poll);
});

test("a forwarded request that reaches a wrong worker is answered there, not forwarded again", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-keep-alive-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const node = await startNode({ app: APP, env: { TMPDIR: folder } }, t);
  const [zero] = await two(t, node);
  const [own] = readdirSync(folder).filter((name) => name.startsWith("limpet-"));
  assert.ok(own !== undefined);
  const socket = connect(path.join(folder, own, "w2.sock"));
  t.after(() => void socket.destroy());
  await once(socket, "connect");
  const connection = new RawConnection(socket);
  const response = await connection.request({ target: zero.target });
  assert.deepEqual([response.status, JSON.parse(response.text)], [400, { code: 1, message: "Session ID unknown" }]);
  const upgrade = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" };
  const target = zero.target.replace("polling", "websocket");
  const key = Buffer.alloc(16).toString("base64");
  const refused = await connection.request({ target, headers: { ...upgrade, "Sec-WebSocket-Key": key } });
  assert.equal(refused.status, 400);
  assert.equal(await node.metric("limpet_rescues_total"), 0);
});

test("a forwarded poll whose owner is killed is answered, and the session's next request told that it is gone", async (t) => {
  const node = await startNode({ app: APP }, t);
  const [zero, one] = await two(t, node);
  await one.joinMain();
  const connection = await RawConnection.open(t, node.port);
  await connection.request({ target: zero.target, headers, body: "40" });
  const poll = connection.request({ target: one.target }, 5_000);
  await waitFor(async () => (await forwarded(node)) === 1);
  process.kill(await pidOf(node, 1), "SIGKILL");
  const { status } = await poll;
  assert.ok([400, 503].includes(status), `it was answered ${status}`);
  await node.waitForLog(({ msg, wid }) => msg === "worker ready" && wid === 3);
  // The connection lives on, and so does the session of the worker that lives.
  assert.equal((await connection.request({ target: one.target })).status, 400);
  assert.match((await connection.request({ target: zero.target })).text, /^40/);
});

test("requests forwarded to a worker that hangs hold up no others, and end when it is replaced", async (t) => {
  const env = {
    LIMPET_SOCKETIO_PING_INTERVAL: "2000",
    LIMPET_SOCKETIO_PING_TIMEOUT: "2000",
    LIMPET_SUPERVISOR_HANG_TIMEOUT_MS: "4000",
  };
  const node = await startNode({ app: APP, workers: 3, env }, t);
  const [zero, one, two] = await sessionOnEach(t, { port: node.port }, 3);
  assert.ok(zero !== undefined && one !== undefined && two !== undefined);
  await two.joinMain();
  const pid = await pidOf(node, 1);
  const connections: RawConnection[] = [];
  while (connections.length < 40) {
    const connection = await RawConnection.open(t, node.port);
    const { text } = await connection.request({ target: "/" });
    if ((JSON.parse(text) as { worker: number }).worker === 0) connections.push(connection);
  }
  process.kill(pid, "SIGSTOP");
  const hanging = connections.slice(0, 30).map((connection) => connection.request({ target: one.target }, 20_000));
  const results = Promise.allSettled(hanging);
  const others = connections.slice(30);
  for (let i = 0; i < 20; i++) {
    for (const connection of others) {
      // With a pong, whether there was a ping or not.
      const body = `3\u001e42${i}["echo",1]`;
      const { text } = await connection.request({ target: two.target, headers, body }, 1_500);
      assert.equal(text, "ok");
    }
    await two.poll();
  }
  assert.ok(
    (await node.workers()).some((worker) => worker.pid === pid),
    "all that while the worker hung",
  );
  const ended = await results;
  assert.equal(await node.metric("limpet_worker_restarts_total", { cause: "hang" }), 1);
  const statuses = ended.map((end) => (end.status === "fulfilled" ? end.value.status : String(end.reason)));
  for (const status of statuses) assert.ok([400, 503].includes(status as number), String(status));
});

test("POSTs around a short keep-alive limit, their own worker's and forwarded ones, meet no closing connection", async (t) => {
  const KEEP_ALIVE_MS = 2_000;
  const node = await startNode({ app: APP, env: { LIMPET_HTTP_KEEP_ALIVE_TIMEOUT_MS: String(KEEP_ALIVE_MS) } }, t);
  const pauses = [1_700, 1_900, 1_950, 1_990, 2_000, 2_010, 2_050, 2_100, 2_300, 2_900, 3_000, 3_100];
  const outcomes = await Promise.all(
    pauses.map(async (pauseMs) => {
      const [zero, one] = await two(t, node);
      const seen: (number | "closed")[] = [];
      const post = async (connection: RawConnection, session: PollingSession): Promise<number | "closed"> => {
        if (connection.ended) return "closed";
        return (await connection.request({ target: session.target, headers, body: "3" })).status;
      };
      // What is written in the moment in which the server closes may be lost between any client and server; a forwarded
      // request is on a client's connection that is in use, and must not be.
      const connection = await RawConnection.open(t, node.port);
      seen.push(await post(connection, zero));
      for (let i = 0; i < 3; i++) {
        seen.push(await post(connection, one));
        const own = delay(pauseMs);
        // Keeps the client's connection in use, and lets the one between the workers grow idle.
        for (let usedMs = 0; usedMs < pauseMs - 500; usedMs += 500) {
          await delay(500);
          seen.push(await post(connection, zero));
        }
        await own;
      }
      seen.push(await post(connection, one));
      return { pauseMs, seen };
    }),
  );
  for (const { pauseMs, seen } of outcomes)
    assert.deepEqual([...new Set(seen)], [200], `with pauses of ${pauseMs} ms: ${seen.join(" ")}`);
});
