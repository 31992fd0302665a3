import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { WebSocket } from "ws";
import { startNode } from "../support/node.js";
import { cpuSeconds } from "./kernel.js";

const APP = "test/supervisor/app.ts";
const SESSIONS = 5_000;
const HANG_MS = 5_000;

test(`of ${SESSIONS} WebSocket sessions that send at once, one pair after another, none hangs`, async (t) => {
  const node = await startNode({ app: APP }, t);
  const pids = [node.pid, ...(await node.workers()).map(({ pid }) => pid)];
  const cpu = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = cpu();
  const seen = new Map<string, number>();
  for (let i = 0; i < SESSIONS; i += 2) {
    for (const outcome of await Promise.all([talk(node.port, HANG_MS), talk(node.port, HANG_MS)]))
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
  }
  const costMs = ((cpu() - before) / SESSIONS) * 1_000;
  t.diagnostic(`${JSON.stringify([...seen])}; ${costMs.toFixed(2)} ms of CPU a session, all processes`);
  assert.deepEqual([...seen], [["answered", SESSIONS]]);
});

test("without the readStop in src/primary/handoff.ts some hang: that is what it is for", async (t) => {
  const hook = new URL("without-read-stop.mjs", import.meta.url).href;
  const node = await startNode({ app: APP, env: { NODE_OPTIONS: `--import=${hook}` } }, t);
  let tried = 0;
  let hung = 0;
  while (hung < 3 && tried < SESSIONS) {
    for (const outcome of await Promise.all([talk(node.port, 1_000), talk(node.port, 1_000)])) {
      tried++;
      if (outcome !== "answered") hung++;
    }
  }
  t.diagnostic(`${hung} of ${tried} sessions hung`);
  assert.ok(hung >= 3, `${hung} of ${tried} sessions hung: does this still show what the readStop cures?`);
});

/** Opens a session, joins with the first frame, asks, and says how far it came. The frame leaves when the server's first byte is here. */
async function talk(port: number, hangMs: number): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, {
    perMessageDeflate: false,
  });
  const timer = setTimeout(() => socket.terminate(), hangMs);
  let stage = "not open";
  socket.on("open", () => {
    stage = "not joined";
    socket.send("40");
  });
  socket.on("message", (data: Buffer) => {
    const packet = data.toString();
    if (packet.startsWith("40{")) {
      stage = "not answered";
      socket.send('420["echo","x"]');
    } else if (packet === '430["x"]') {
      stage = "answered";
      socket.close();
    }
  });
  socket.on("error", (error) => (stage = error.message));
  await once(socket, "close");
  clearTimeout(timer);
  return stage;
}
