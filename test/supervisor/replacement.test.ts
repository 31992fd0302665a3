import assert from "node:assert/strict";
import test, { after } from "node:test";
import { parseSid } from "../../src/routing/address.js";
import { WebSocketSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

const HANG_MS = 3_000;
const node = await startNode(
  {
    app: "test/supervisor/app.ts",
    workers: 3,
    env: {
      LIMPET_SOCKETIO_PING_INTERVAL: "1000",
      LIMPET_SOCKETIO_PING_TIMEOUT: "2000",
      LIMPET_SUPERVISOR_HANG_TIMEOUT_MS: String(HANG_MS),
    },
  },
  { after },
);

const VICTIM = 1;

/** The next packet that is no ping. */
async function nextMessage(session: WebSocketSession): Promise<string> {
  for (;;) {
    const packet = String(await session.next());
    if (packet !== "2") return packet;
  }
}

async function openOn(t: test.TestContext, slot: number): Promise<WebSocketSession> {
  for (;;) {
    const session = await WebSocketSession.open(t, { port: node.port });
    if (parseSid(session.sid)?.slot === slot) {
      session.socket.on("message", (data: Buffer) => {
        if (data.toString() === "2") session.send("3");
      });
      session.send("40");
      await nextMessage(session);
      return session;
    }
    await session.close();
  }
}

const ends: readonly { what: string; cause: string; bring: (session: WebSocketSession, pid: number) => void }[] = [
  { what: "calls process.exit(0)", cause: "crash", bring: (session) => session.send('42["exit",0]') },
  { what: "calls process.exit(7)", cause: "crash", bring: (session) => session.send('42["exit",7]') },
  { what: "throws", cause: "crash", bring: (session) => session.send('42["throw"]') },
  { what: "leaves a rejection to itself", cause: "crash", bring: (session) => session.send('42["reject"]') },
  { what: "is killed with SIGKILL", cause: "killed", bring: (_session, pid) => process.kill(pid, "SIGKILL") },
  { what: "blocks its loop for ever", cause: "hang", bring: (session) => session.send('42["block"]') },
];

for (const { what, cause, bring } of ends) {
  test(`a worker that ${what} is replaced and counted as ${cause}; its siblings notice nothing`, async (t) => {
    const before = await node.workers();
    const victim = before.find(({ slot }) => slot === VICTIM);
    assert.ok(victim !== undefined);
    const counted = await node.metric("limpet_worker_restarts_total", { cause });
    const all = await node.metric("limpet_worker_restarts_total");
    const sessions = [await openOn(t, 0), await openOn(t, 2)];
    const session = await openOn(t, VICTIM);

    bring(session, victim.pid);
    const ended = await node.waitForLog(
      ({ msg, pid }) => msg === "worker ended unexpectedly" && pid === victim.pid,
      HANG_MS + 10_000,
    );
    assert.equal(ended["cause"], cause);
    await waitFor(async () => {
      const now = (await node.workers()).find(({ slot }) => slot === VICTIM);
      return now?.state === "ready" && now.pid !== victim.pid;
    });
    await waitFor(() => session.closed, { message: "the lost session's connection to close" });

    const rest = (workers: typeof before): unknown =>
      workers
        .filter(({ slot }) => slot !== VICTIM)
        .map(({ slot, pid, incarnation, restarts }) => [slot, pid, incarnation, restarts]);
    assert.deepEqual(rest(await node.workers()), rest(before));
    for (const sibling of sessions) {
      sibling.send('421["echo","still here"]');
      assert.equal(await nextMessage(sibling), '431["still here"]');
      await sibling.close();
    }
    assert.equal((await node.metric("limpet_worker_restarts_total", { cause })) - counted, 1);
    assert.equal((await node.metric("limpet_worker_restarts_total")) - all, 1, "no other cause is counted");
    assert.equal((await node.workers()).find(({ slot }) => slot === VICTIM)?.restarts, victim.restarts + 1);

    const replaced = await openOn(t, VICTIM);
    replaced.send('422["echo","new"]');
    assert.equal(await nextMessage(replaced), '432["new"]');
    await replaced.close();
  });
}
