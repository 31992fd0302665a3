/** Upgrades that are begun and never finished leave nothing behind. */
import assert from "node:assert/strict";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor, within } from "../support/wait.js";
import { rssMiB } from "../front/kernel.js";

const PROBES = 1_000;
const THIRD = Math.ceil(PROBES / 3);
/** What a heap may differ between two moments that are alike; 333 probes that leave a transport each are more than a megabyte. */
const NOISE_BYTES = 600_000;

/** Answers of the app, by polls. */
async function call<T>(session: PollingSession, event: string, ...args: unknown[]): Promise<T> {
  await session.post(`421${JSON.stringify([event, ...args])}`);
  const [packet = ""] = await session.poll();
  assert.match(packet, /^431\[/);
  return (JSON.parse(packet.slice(3)) as [T])[0];
}

/**
 * Begins an upgrade and cuts it once the server has answered the probe.
 *
 * @returns false where the server had not noticed the end of the one before yet, and so refused this one
 */
async function probeAndCut(t: TestContext, node: TestNode, { handshake }: PollingSession): Promise<boolean> {
  const attempt = await WebSocketSession.attach(t, { port: node.port }, handshake);
  attempt.send("2probe");
  const pong = await attempt.next().catch((error: unknown) => {
    if (!attempt.closed) throw error;
    return undefined;
  });
  if (pong !== undefined) assert.equal(pong, "3probe");
  const closed = once(attempt.socket, "close");
  attempt.socket.terminate();
  if (!attempt.closed) await within(closed, 5_000, "the end of the connection");
  return pong !== undefined;
}

test("a thousand upgrades of one session that are cut leave no listener and no memory, are counted, and the next one completes", async (t) => {
  const env = { LIMPET_SOCKETIO_PING_INTERVAL: "300000", NODE_OPTIONS: "--expose-gc" };
  const node = await startNode({ app: "test/worker/upgrade-probes-app.ts", workers: 1, env }, t);
  const [worker] = await node.workers();
  assert.ok(worker !== undefined);
  const session = await PollingSession.open(t, { port: node.port });
  await session.joinMain();
  const failed = (): Promise<number> => node.metric("limpet_upgrades_total", { outcome: "failed" });
  const completed = (): Promise<number> => node.metric("limpet_upgrades_total", { outcome: "completed" });

  const heaps: number[] = [];
  const resident: number[] = [];
  for (let done = 0; done < PROBES;) {
    if (!(await probeAndCut(t, node, session))) continue;
    done++;
    if (done % THIRD !== 0 && done !== PROBES) continue;
    await waitFor(async () => (await failed()) === done, { message: `${done} failed upgrades` });
    heaps.push(await call<number>(session, "heap"));
    resident.push(rssMiB(worker.pid));
  }
  const show = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(", ");
  t.diagnostic(
    `after each third of ${PROBES} cut upgrades: heap ${show(heaps.map((bytes) => bytes / 1024))} KiB, resident ${show(resident)} MiB`,
  );
  const [, second = 0, third = 0] = heaps;
  assert.ok(third - second < NOISE_BYTES, `the heap grew by ${third - second} bytes in the last third`);

  const { session: upgraded, rest } = await session.upgrade();
  assert.deepEqual(rest, []);
  upgraded.send('422["echo","by WebSocket"]');
  assert.equal(await upgraded.next(), '432["by WebSocket"]');
  assert.deepEqual([await completed(), await failed()], [1, PROBES]);
  await upgraded.close();
  await waitFor(async () => (await node.metric("limpet_connections")) === 0);
  assert.deepEqual([await completed(), await failed()], [1, PROBES], "the end of the session is no failed upgrade");
  assert.doesNotMatch(node.output(), /MaxListenersExceededWarning/);
});
