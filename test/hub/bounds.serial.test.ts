/** A worker that does not read costs the others bounded memory and nothing else. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { waitFor } from "../support/wait.js";
import { arrivals, block, join, startFleet, type Member } from "./fleet.js";

const MIB = 1024 * 1024;
const QUEUE_BYTES = 8 * MIB;
const MESSAGES = 200;
const BUSY_MS = 5_000;
/** For the copies in flight and what the garbage collector has not taken yet: far less than the 200 MB that were sent. */
const SLACK_BYTES = 90 * MIB;

function rssBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

test("200 MB for a worker that is busy for 5 s: what does not fit its queue is dropped and counted, and it recovers", async (t) => {
  const { node, members } = await startFleet(t, { env: { LIMPET_HUB_MAX_QUEUE_BYTES: String(QUEUE_BYTES) } });
  const [a, b, c] = members as [Member, Member, Member];
  const room = "room";
  await join(room, b);
  await join("other room", c);
  const publisherPid = Number((await node.workers()).find(({ slot }) => slot === a.worker)?.pid);
  const start = { primary: rssBytes(node.pid), publisher: rssBytes(publisherPid) };
  const peak = { ...start };
  let queuePeakBytes = 0;
  const watch = setInterval(() => {
    peak.primary = Math.max(peak.primary, rssBytes(node.pid));
    peak.publisher = Math.max(peak.publisher, rssBytes(publisherPid));
  }, 20);
  t.after(() => clearInterval(watch));

  await block(node, b, BUSY_MS);
  const sent = a.run(
    async ({ io }, to, count) => {
      for (let n = 0; n < count; n++) {
        io.to(to).emit("large", n, "x".repeat(1_000_000));
        io.to("other room").emit("small", n);
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
    },
    room,
    MESSAGES,
  );
  await waitFor(async () => {
    const bytes = (await node.workers()).find(({ slot }) => slot === b.worker)?.queueBytes ?? 0;
    queuePeakBytes = Math.max(queuePeakBytes, bytes);
    return bytes >= QUEUE_BYTES;
  });
  assert.ok((await node.metric("limpet_hub_queue_bytes", { worker: String(b.worker) })) > 0);
  await sent;

  const [onB = [], onC = []] = await waitFor(async () => {
    // A mark may be dropped as well while the queue is full; the next one is not.
    await a.run(({ io }, to) => void io.to(to).emit("late"), room);
    return b.received.some(([event]) => event === "late") ? arrivals(a, [b, c]) : undefined;
  }).then((events) => events ?? []);
  clearInterval(watch);
  const largeOf = (events: [string, ...unknown[]][]): number[] =>
    events.filter(([event]) => event === "large").map(([, n]) => Number(n));
  const dropped = await node.metric("limpet_hub_messages_total", { outcome: "dropped" });
  const growth = { primary: peak.primary - start.primary, publisher: peak.publisher - start.publisher };
  t.diagnostic(
    `bound ${QUEUE_BYTES / MIB} MiB, queue at most ${(queuePeakBytes / MIB).toFixed(1)} MiB; primary +${(growth.primary / MIB).toFixed(0)} MiB, ` +
      `publisher +${(growth.publisher / MIB).toFixed(0)} MiB; ${dropped} copies dropped, ${largeOf(onB).length} of ${MESSAGES} arrived`,
  );
  assert.deepEqual(
    onC,
    Array.from({ length: MESSAGES }, (_, n) => ["small", n]),
    "a sibling that reads loses nothing",
  );
  assert.ok(largeOf(onB).length < MESSAGES);
  assert.ok(dropped >= MESSAGES - largeOf(onB).length, `${dropped} dropped`);
  assert.deepEqual(
    largeOf(onB),
    [...largeOf(onB)].sort((x, y) => x - y),
    "what did arrive kept its order",
  );
  assert.ok(growth.primary < QUEUE_BYTES + SLACK_BYTES, `the primary grew by ${growth.primary} bytes`);
  assert.ok(growth.publisher < QUEUE_BYTES + SLACK_BYTES, `the publisher grew by ${growth.publisher} bytes`);
  await waitFor(async () => (await node.metric("limpet_hub_queue_bytes", { worker: String(b.worker) })) === 0);
});
