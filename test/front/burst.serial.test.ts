import assert from "node:assert/strict";
import test from "node:test";
import { WebSocketSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { slotOf } from "./sessions.js";

const SESSIONS = 300;
const WORKERS = 4;
const MOST = 85;

test(`of ${SESSIONS} sessions opened in one tick no worker of ${WORKERS} gets more than ${MOST}`, async (t) => {
  const node = await startNode({ workers: WORKERS }, t);
  const sessions = await Promise.all(
    Array.from({ length: SESSIONS }, () => WebSocketSession.open(t, { port: node.port, timeoutMs: 30_000 })),
  );
  const bySlot = new Array<number>(WORKERS).fill(0);
  for (const session of sessions) bySlot[slotOf(session)] = (bySlot[slotOf(session)] ?? 0) + 1;
  t.diagnostic(bySlot.join("/"));
  assert.ok(Math.max(...bySlot) <= MOST, bySlot.join("/"));
});
