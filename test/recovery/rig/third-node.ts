/** Another node of the fleet that publishes to rooms of others, as fast as Redis takes it. */
import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { BROADCAST, encodeEntry, streamEntry } from "../../../src/bus/entry.js";
import { encodeEvent } from "../../../src/link/payload.js";

const ROOMS = 1_000;
const TEXT = "x".repeat(60);
const AT_ONCE = 5_000;

/** @returns once so many entries are in the stream */
export async function publishToOthers(redis: Redis, count: number): Promise<void> {
  const uid = randomUUID();
  for (let from = 0; from < count; from += AT_ONCE) {
    const pipeline = redis.pipeline();
    for (let n = from + 1; n <= Math.min(count, from + AT_ONCE); n++)
      pipeline.xadd("socket.io", "*", ...entryOf(uid, n));
    for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
  }
}

function entryOf(uid: string, n: number): (string | Buffer)[] {
  const rooms = [`other-${n % ROOMS}`];
  const args = JSON.stringify(["other", n, TEXT]);
  const body = Buffer.from(encodeEvent(args, "/", { rooms, except: [], flags: {} }));
  const header = { r: rooms, e: [Buffer.byteLength(args), [], {}], g: [n, 1, n] } as const;
  const payload = { bin: false, body };
  return encodeEntry(streamEntry(uid, n, { type: BROADCAST, header: JSON.stringify(header), nsp: "/", payload }));
}
