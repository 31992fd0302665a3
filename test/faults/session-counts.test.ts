import assert from "node:assert/strict";
import test from "node:test";
import { pidOf, slotOf } from "../metrics/clients.js";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import type { Scrape } from "../support/metrics-text.js";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

const OPERATIONS = 500;

interface Counts {
  readonly opened: number;
  readonly closed: number;
  readonly polling: number;
  readonly websocket: number;
}

function countsIn(scrape: Scrape): Counts {
  return {
    opened: scrape.sum("limpet_sessions_opened_total"),
    closed: scrape.sum("limpet_sessions_closed_total"),
    polling: scrape.sum("limpet_connections", { transport: "polling" }),
    websocket: scrape.sum("limpet_connections", { transport: "websocket" }),
  };
}

/** Waits until the node counts exactly this, and `/workers` and the front's balance say the same. */
async function assertCounts(node: TestNode, expected: Counts): Promise<void> {
  let counts: Counts | undefined;
  let sessions = NaN;
  await waitFor(
    async () => {
      counts = countsIn(await node.metrics());
      sessions = (await node.workers()).reduce((sum, worker) => sum + worker.sessions, 0);
      assert.deepEqual(counts, expected);
      return sessions === expected.polling + expected.websocket;
    },
    { message: () => `${JSON.stringify(expected)}; there were ${JSON.stringify(counts)} and ${sessions} in /workers` },
  );
}

/** The same numbers in each run: what fails once fails again. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test(`the counts of connections are what is open, after ${OPERATIONS} random operations and a kill`, async (t) => {
  const node = await startNode({ workers: 2 }, t);
  const { port } = node;
  const random = createRandom(42);
  const polling: PollingSession[] = [];
  const websockets: WebSocketSession[] = [];
  const take = <T>(list: T[]): T | undefined => list.splice(random(list.length), 1)[0];
  let opened = 0;

  for (let i = 0; i < OPERATIONS; i++) {
    const what = random(8);
    if (what <= 2) {
      polling.push(await PollingSession.open(t, { port }));
      opened++;
    } else if (what === 3) {
      websockets.push(await WebSocketSession.open(t, { port }));
      opened++;
    } else if (what === 4) {
      const session = take(polling);
      if (session === undefined) continue;
      await session.joinMain();
      const { session: upgraded } = await session.upgrade();
      // An answer on the new transport: the upgrade is done.
      upgraded.send("40/nowhere,");
      assert.match(String(await upgraded.next()), /^44/);
      websockets.push(upgraded);
    } else if (what === 5) {
      const session = polling[random(polling.length)];
      if (session === undefined) continue;
      const probe = await WebSocketSession.attach(t, { port }, session.handshake);
      probe.send("2probe");
      assert.equal(await probe.next(), "3probe");
      await probe.close();
      // The session takes another probe once the first is known to be over: what is posted is read after that.
      await session.post("3");
    } else if (what === 6) {
      await take(polling)?.close();
    } else {
      const session = take(websockets);
      if (random(2) === 0) session?.socket.terminate();
      else await session?.close();
    }
  }
  const open = { polling: polling.length, websocket: websockets.length };
  const closed = opened - open.polling - open.websocket;
  t.diagnostic(`${opened} sessions opened, ${closed} closed; open ${JSON.stringify(open)}`);
  assert.ok(open.polling > 20 && open.websocket > 20);
  await assertCounts(node, { opened, closed, ...open });

  const lives = ({ sid }: { readonly sid: string }): boolean => slotOf(sid) !== 0;
  const survivors = { polling: polling.filter(lives).length, websocket: websockets.filter(lives).length };
  const lost = open.polling + open.websocket - survivors.polling - survivors.websocket;
  process.kill(await pidOf(node, 0), "SIGKILL");
  await waitFor(async () => (await node.metric("limpet_worker_restarts_total", { cause: "killed" })) === 1);
  await waitFor(async () => (await node.metric("limpet_workers", { state: "ready" })) === 2);
  // The sessions of the killed worker were never closed, only lost: opened - closed - open is how many.
  await assertCounts(node, { opened, closed, ...survivors });
  t.diagnostic(`${lost} sessions ended with their worker: opened - closed exceeds what is open by as many`);
  assert.equal(opened - closed - survivors.polling - survivors.websocket, lost);

  for (const session of polling.filter(lives)) await session.close();
  for (const session of websockets.filter(lives)) await session.close();
  await assertCounts(node, { opened, closed: opened - lost, polling: 0, websocket: 0 });
});
