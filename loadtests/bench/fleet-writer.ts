/**
 * Writes entries to the stream as another limpet node does: with limpet's own writer, from an event loop of its own.
 * Usage: tsx fleet-writer.ts REDIS_URL STREAM; told `{ perSecond, entries }` it answers `{ written }` when Redis has them all.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { streamEntry } from "../../src/bus/entry.js";
import { gatherPace } from "../../src/bus/gathering.js";
import { Outbox } from "../../src/bus/outbox.js";
import { StreamWriter } from "../../src/bus/stream-writer.js";
import { connectRedis } from "../../src/lib/redis.js";
import { parseRedisUrl } from "../../src/lib/redis-url.js";
import { encodeEvent } from "../../src/link/payload.js";

export interface WriteOrder {
  readonly perSecond: number;
  readonly entries: number;
}

const BROADCAST = 3;
const [url = "", stream = ""] = process.argv.slice(2);
const place = parseRedisUrl(url);
if (place === undefined) throw new Error(`${url} is no URL of Redis`);
const uid = randomUUID();
const outbox = new Outbox(Number.MAX_SAFE_INTEGER);
const redis = connectRedis(
  {
    place,
    username: undefined,
    password: undefined,
    sentinelPassword: undefined,
    tls: { ca: undefined, cert: undefined, key: undefined, verify: true },
    name: "fleet-writer",
    stallTimeoutMs: 10_000,
  },
  { onReady: () => process.send?.({ ready: true }) },
);
const fail = (error: Error): void => {
  throw error;
};
const writer = new StreamWriter({
  redis,
  stream,
  outbox,
  pace: gatherPace(0, () => performance.now()),
  retentionMs: 300_000,
  // The dearest that a reader can meet: each message an entry.
  bundling: undefined,
  now: () => performance.now(),
  onFailure: fail,
  onWritten: () => undefined,
});
let n = 0;

function append(): void {
  const room = `room ${n % 100}`;
  const args = JSON.stringify(["message", { n, text: "x".repeat(40) }]);
  const body = Buffer.from(encodeEvent(args, "/", { rooms: [room], except: [], flags: {} }));
  const header = { r: [room], e: [Buffer.byteLength(args), [], {}] as const };
  const payload = { bin: false, body };
  outbox.push(streamEntry(uid, ++n, { type: BROADCAST, header: JSON.stringify(header), nsp: "/", payload }));
  writer.appended();
}

async function write({ perSecond, entries }: WriteOrder): Promise<void> {
  const startedAt = performance.now();
  let appended = 0;
  while (appended < entries) {
    const due = Math.min(entries, Math.ceil(((performance.now() - startedAt) * perSecond) / 1_000));
    for (; appended < due; appended++) append();
    await delay(1);
  }
  await writer.drained(30_000);
  process.send?.({ written: appended });
}

process.on("message", (order: WriteOrder) => void write(order));
process.on("disconnect", () => process.exit());
