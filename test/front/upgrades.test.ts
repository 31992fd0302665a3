/** Upgrades that nobody can take, or that are not Socket.IO's: they end soon, and they end nothing else. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { engineTarget, PollingSession } from "../support/engine-client.js";
import { startNode, type TestNode } from "../support/node.js";
import { RawConnection, requestBytes } from "../support/raw-http.js";
import { sessionOnEach } from "./sessions.js";

const APP = "test/front/upgrade-app.ts";
/** A stray upgrade may stay for a second; the rest is for a busy machine. */
const STRAY_LIMIT_MS = 2_500;

const upgradeBytes = (target: string): Buffer =>
  requestBytes({
    target,
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": Buffer.alloc(16).toString("base64"),
    },
  });

const pidsOf = async (node: TestNode): Promise<number[]> => (await node.workers()).map(({ pid }) => pid);

/** A connection that has carried a request before, which brought it to the worker of that session. */
async function usedConnection(t: TestContext, node: TestNode, session: PollingSession): Promise<RawConnection> {
  const connection = await RawConnection.open(t, node.port);
  const response = await connection.request({ target: session.target, body: "3" });
  assert.equal(response.text, "ok");
  return connection;
}

/** Sends an event and waits for its ack, by polls. */
async function echo(session: PollingSession, value: string): Promise<void> {
  await session.post(`421["echo","${value}"]`);
  assert.deepEqual(await session.poll(), [`431["${value}"]`]);
}

test("without the WebSocket transport every upgrade ends in bounded time, and neither a worker nor a session with it", async (t) => {
  const node = await startNode({ app: APP, env: { LIMPET_SOCKETIO_TRANSPORTS: "polling" } }, t);
  const sessions = await sessionOnEach(t, { port: node.port });
  for (const session of sessions) await session.joinMain();
  const pids = await pidsOf(node);
  const targets: [string, string][] = [
    ["a handshake by WebSocket", engineTarget({}, "websocket")],
    ["a handshake by polling", engineTarget({}, "polling")],
    ...sessions.flatMap(({ sid }, slot): [string, string][] => [
      [`WebSocket for the session of worker ${slot}`, engineTarget({}, "websocket", sid)],
      [`polling for the session of worker ${slot}`, engineTarget({}, "polling", sid)],
    ]),
    ["an unknown session", engineTarget({}, "websocket", "x".repeat(20))],
  ];
  await Promise.all(
    targets.flatMap(([what, target]) => {
      const end = async (how: string, connection: RawConnection): Promise<void> => {
        await connection.write(upgradeBytes(target));
        await connection.waitForEnd(STRAY_LIMIT_MS).catch((cause: unknown) => {
          throw new Error(`${what}, on ${how}: the connection is open`, { cause });
        });
        const answer = connection.received.toString("latin1");
        assert.ok(answer === "" || /^HTTP\/1\.1 [45]\d\d /.test(answer), `${what}, on ${how}: ${answer}`);
      };
      return [
        RawConnection.open(t, node.port).then((connection) => end("a fresh connection", connection)),
        ...sessions.map(async (session, slot) =>
          end(`a connection of worker ${slot}`, await usedConnection(t, node, session)),
        ),
      ];
    }),
  );
  for (const [slot, session] of sessions.entries()) await echo(session, `worker ${slot} lives`);
  assert.deepEqual(await pidsOf(node), pids);
  assert.equal(await node.metric("limpet_worker_restarts_total"), 0);
});

for (const transports of ["polling,websocket", "polling"]) {
  const among = `among ${transports}`;

  test(`${among}: an upgrade that is not Socket.IO's and that nobody takes is closed soon, on a fresh connection and on a used one`, async (t) => {
    const node = await startNode({ app: APP, workers: 1, env: { LIMPET_SOCKETIO_TRANSPORTS: transports } }, t);
    const session = await PollingSession.open(t, { port: node.port });
    await session.joinMain();
    const fresh = await RawConnection.open(t, node.port);
    const used = await usedConnection(t, node, session);
    const afterOwn = await RawConnection.open(t, node.port);
    assert.equal((await afterOwn.request({ target: "/nothing" })).status, 404);
    await Promise.all(
      Object.entries({ fresh, used, afterOwn }).map(async ([how, connection]) => {
        await connection.write(upgradeBytes("/somewhere-else"));
        await connection.waitForEnd(STRAY_LIMIT_MS);
        assert.equal(connection.received.toString(), "", how);
      }),
    );
    await echo(session, "still here");
  });

  test(`${among}: the app's own upgrade listener takes its paths, at once and late, on fresh and used connections, for long`, async (t) => {
    const node = await startNode({ app: APP, workers: 1, env: { LIMPET_SOCKETIO_TRANSPORTS: transports } }, t);
    const session = await PollingSession.open(t, { port: node.port });
    const connections = await Promise.all(
      ["/echo", "/late"].flatMap((target) => [
        RawConnection.open(t, node.port).then((connection) => ({ target, connection })),
        usedConnection(t, node, session).then((connection) => ({ target, connection })),
      ]),
    );
    for (const { target, connection } of connections) {
      await connection.write(upgradeBytes(target));
      assert.equal((await connection.readResponse()).status, 101);
    }
    // By the time this one is closed, the others would have been.
    const stray = await RawConnection.open(t, node.port);
    await stray.write(upgradeBytes("/somewhere-else"));
    await stray.waitForEnd(STRAY_LIMIT_MS);
    for (const { target, connection } of connections) {
      const bytes = Buffer.from(`${target} \u00ff\u0000`, "latin1");
      await connection.write(bytes);
      assert.deepEqual(await connection.readBytes(bytes.length), bytes);
    }
  });
}
