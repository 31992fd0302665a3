/** What becomes of a request whose owner's node does not answer: 400 only where it is known to be gone, 503 while it is not; never a loop. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import test, { type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { EngineRefusal, PollingSession, WebSocketSession } from "../support/engine-client.js";
import { killGroup, startGroup } from "../support/children.js";
import { rawRequest } from "../support/raw-http.js";
import { startRedis } from "../support/redis.js";
import { startProxy } from "../support/tcp-proxy.js";
import { waitFor } from "../support/wait.js";
import {
  LEASE_MS,
  SECRET,
  rescued,
  startFleet,
  startMember,
  stray,
  strangerOf,
  tableIsComplete,
  TEXT,
} from "./fleet.js";
import { answerHalf, startStandIn } from "./stand-in.js";

/** A port whose listener accepts nobody any more: the kernel leaves those who connect without an answer. */
async function fullListener(t: TestContext): Promise<number> {
  const program = `require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, function () {
    console.log(this.address().port);
  })`;
  const child = startGroup(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => killGroup(child.pid));
  assert.ok(child.stdout);
  const [written] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(written.toString());
  process.kill(child.pid, "SIGSTOP");
  for (let taken = 0; ; taken++) {
    assert.ok(taken < 20, "the queue of the listener takes no end of connections");
    const socket = connect({ port, host: "127.0.0.1" });
    t.after(() => void socket.destroy());
    const isTaken = once(socket, "connect").then(() => true);
    if (!(await Promise.race([isTaken, delay(500, false)]))) return port;
  }
}

const upgradeOf = (t: TestContext, port: number, { handshake }: PollingSession): Promise<WebSocketSession> =>
  WebSocketSession.attach(t, { port }, handshake);

const refusedWith = (status: number) => (error: unknown) => error instanceof EngineRefusal && error.status === status;

test("of a node that was killed sessions are unavailable while its lease holds, and unknown from then on", async (t) => {
  const { a, b } = await startFleet(t, { env: { LIMPET_FLEET_LEASE_MS: "3000" } });
  const { session, connection, poll, post } = await stray(t, a, b);
  assert.equal((await post("3")).status, 200);
  const goneBefore = await rescued(b, "gone");
  await a.kill();
  assert.equal((await poll()).status, 503);
  await assert.rejects(upgradeOf(t, b.port, session), refusedWith(503));
  // A body that nobody takes does not stand before the connection's next request.
  assert.equal((await post(`4${"x".repeat(500_000)}`)).status, 503);
  assert.ok((await rescued(b, "unknown")) >= 3);
  assert.equal((await rescued(b, "gone")) - goneBefore, 0);

  await waitFor(async () => (await poll()).status === 400, { message: "the node to be known as gone" });
  const { text } = await poll();
  assert.deepEqual(JSON.parse(text), { code: 1, message: "Session ID unknown" });
  assert.equal((await post("3")).status, 400);
  await assert.rejects(upgradeOf(t, b.port, session), refusedWith(400));
  assert.ok((await rescued(b, "gone")) - goneBefore >= 4);
  const own = await PollingSession.open(t, { port: b.port });
  const next = await connection.request({ target: own.target, headers: TEXT, body: "40" });
  assert.equal(next.text, "ok", "the connection goes on");
});

test("while Redis is away known nodes are reached, and what is said of others is that they are not known", async (t) => {
  const { redis, a, b } = await startFleet(t);
  const { poll, post } = await stray(t, a, b);
  await redis.kill();
  await waitFor(async () => (await rawRequest(t, b.port, { target: strangerOf(7) })).status === 503, {
    message: "the table to count as old",
  });
  assert.equal((await post('420["echo",1]')).text, "ok");
  assert.equal((await poll()).text, "430[1]");
  assert.ok((await rescued(b, "unknown")) >= 1);
});

test("a node that has lost Redis alone keeps its sessions: it is asked where it was before they count as gone", async (t) => {
  const redis = await startRedis(t);
  const link = await startProxy(redis.port, t);
  const a = await startMember(t, redis, 0, { redisUrl: link.url });
  const b = await startMember(t, redis, 1);
  await tableIsComplete(t, b);
  const { poll, post } = await stray(t, a, b);
  assert.equal((await post('420["echo",0]')).text, "ok");
  assert.equal((await poll()).text, "430[0]");
  link.cut();
  const leases = redis.client();
  const long = 3 * LEASE_MS;
  await waitFor(async () => Number(await leases.zscore("limpet:{fleet}:leases", "0")) < Date.now() - long, {
    message: "the lease to have run out, and the others' tables to have been read since",
  });
  assert.equal((await post('421["echo",1]')).text, "ok");
  assert.equal((await poll()).text, "431[1]");
  await a.kill();
  // The connection that was kept may break first, which says nothing about the node.
  await waitFor(async () => (await poll()).status === 400, { message: "nobody to answer there" });
});

test("an address that takes no connection is given up after 3 s", async (t) => {
  const full = await fullListener(t);
  const { a, b } = await startFleet(t, {}, { advertise: `127.0.0.1:${full}` });
  const { session, poll } = await stray(t, b, a);
  const started = performance.now();
  assert.equal((await poll()).status, 503);
  await assert.rejects(upgradeOf(t, a.port, session), refusedWith(503));
  const tookMs = performance.now() - started;
  assert.ok(tookMs > 5_500 && tookMs < 12_000, `twice 3 s; it took ${Math.round(tookMs)} ms`);
  assert.equal(await rescued(a, "unknown"), 2);
});

test("an owner that takes the connection and is silent is given up once no poll can wait that long", async (t) => {
  const address = await startStandIn(t, () => undefined);
  const env = {
    LIMPET_SOCKETIO_PING_INTERVAL: "1000",
    LIMPET_SOCKETIO_PING_TIMEOUT: "500",
    LIMPET_HTTP_HEADERS_TIMEOUT_MS: "1000",
    LIMPET_HTTP_REQUEST_TIMEOUT_MS: "1000",
  };
  const { a, b } = await startFleet(t, { env }, { advertise: address });
  const { connection, session } = await stray(t, b, a);
  const { status } = await connection.request({ target: session.target }, 15_000);
  assert.equal(status, 503);
  assert.equal(await rescued(a, "forwarded"), 1);
  assert.equal(await rescued(a, "unknown"), 1);
});

test("an owner that breaks off in the middle of its answer leaves no whole answer, and is counted", async (t) => {
  const address = await startStandIn(t, answerHalf);
  const { a, b } = await startFleet(t, {}, { advertise: address });
  const { connection, session } = await stray(t, b, a);
  await assert.rejects(connection.request({ target: session.target }), /ended before a response was complete/);
  assert.equal(await rescued(a, "forwarded"), 1);
  assert.equal(await rescued(a, "failed"), 1);
});

test("what a node says has been forwarded is forwarded no further, whatever its table says", async (t) => {
  const { a, b } = await startFleet(t);
  const { session } = await stray(t, b, a);
  const headers = { "X-Limpet-Forwarded": "9" };
  assert.equal((await rawRequest(t, a.port, { target: session.target, headers })).status, 503);
  assert.equal((await rawRequest(t, a.port, { target: strangerOf(7), headers })).status, 400, "that one is gone");
  assert.equal(await rescued(a, "loop"), 2);
  assert.equal(await rescued(a, "forwarded"), 0);
  const own = await stray(t, a, a);
  const answer = await own.connection.request({
    target: own.session.target,
    headers: { ...headers, ...TEXT },
    body: "3",
  });
  assert.equal(answer.text, "ok", "a session of its own it serves");
});

for (const [how, secret] of [
  ["with a secret", SECRET],
  ["without one", null],
] as const) {
  test(`an address that is not the owner's makes no loop, ${how}`, async (t) => {
    const redis = await startRedis(t);
    const a = await startMember(t, redis, 0, { secret });
    const b = await startMember(t, redis, 1, { secret, advertise: `127.0.0.1:${a.port}` });
    await tableIsComplete(t, a);
    const { session, poll } = await stray(t, b, a);
    assert.equal((await poll()).status, 503);
    await assert.rejects(upgradeOf(t, a.port, session), refusedWith(503));
    assert.equal(await rescued(a, "forwarded"), 2);
    assert.equal(await rescued(a, "loop"), 2);
  });
}
