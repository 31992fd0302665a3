/**
 * POSTs on nginx's idle connections, at the moments at which one side or the other closes them. The pause between two POSTs is the subject here,
 * so these tests wait for fixed times.
 */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { PollingSession } from "../support/engine-client.js";
import type { Nginx } from "../support/nginx.js";
import { startFleet } from "./fleet.js";

/** The server stays silent, so that a pong never uses the connections in between. */
const QUIET = { LIMPET_SOCKETIO_PING_INTERVAL: "300000" };
const QUIET_NGINX = { pingIntervalMs: 300_000 };

/** Opens sessions whose polls are pending, as those of an idle client are. */
async function openSessions(t: TestContext, nginx: Nginx, count: number): Promise<PollingSession[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const session = await PollingSession.open(t, { port: nginx.port });
      await session.joinMain();
      // Ends with the connection, when the test does.
      session.poll(120_000).catch(() => undefined);
      return session;
    }),
  );
}

/** POSTs of all sessions at once, `rounds` times with that pause; each session's packets are counted by the gateway. */
async function postInRounds(sessions: readonly PollingSession[], pauseMs: number, rounds: number): Promise<number> {
  for (let round = 0; round < rounds; round++) {
    if (round > 0) await delay(pauseMs);
    await Promise.all(sessions.map((session) => session.post('42["never"]')));
  }
  return sessions.length * rounds;
}

function assertAllPassed(nginx: Nginx): void {
  const bad = nginx.requests().filter(({ status, request }) => status !== 200 && request.startsWith("POST"));
  assert.deepEqual(bad, []);
  assert.equal(nginx.errors(), "");
}

describe("POSTs around the limits of idle connections", { concurrency: true }, () => {
  test("with every limit small, POSTs around each of them pass", async (t) => {
    const gatewayKeepAliveMs = 2_000;
    const env = { ...QUIET, LIMPET_HTTP_KEEP_ALIVE_TIMEOUT_MS: String(gatewayKeepAliveMs) };
    // The pools close their connections after 1.6 s.
    const { node, nginx } = await startFleet(t, { env }, { ...QUIET_NGINX, gatewayKeepAliveMs });
    const pauses = [1.1, 1.2, 1.3, 1.5, 1.55, 1.59, 1.6, 1.61, 1.65, 1.7, 1.9, 1.99, 2, 2.01, 2.1, 3, 3.1];
    const before = await node.metric("limpet_messages_received_total");
    let opened = 0;
    const counts = await Promise.all(
      pauses.map(async (seconds) => {
        const sessions = await openSessions(t, nginx, 6);
        opened += sessions.length;
        return postInRounds(sessions, seconds * 1_000, 6);
      }),
    );
    assertAllPassed(nginx);
    const posted = counts.reduce((sum, count) => sum + count, 0);
    // The CONNECT of each session, and every packet once.
    assert.equal((await node.metric("limpet_messages_received_total")) - before, opened + posted);
  });

  test("with the sizes of every day, POSTs 59, 60 and 61 s apart pass", async (t) => {
    const { node, nginx } = await startFleet(t, { env: QUIET }, QUIET_NGINX);
    const before = await node.metric("limpet_messages_received_total");
    const groups = await Promise.all(
      [59, 60, 61].map(async (seconds) => ({ seconds, sessions: await openSessions(t, nginx, 20) })),
    );
    const counts = await Promise.all(groups.map(({ seconds, sessions }) => postInRounds(sessions, seconds * 1_000, 2)));
    assertAllPassed(nginx);
    const posted = counts.reduce((sum, count) => sum + count, 0);
    assert.equal((await node.metric("limpet_messages_received_total")) - before, 60 + posted);
  });
});
