/** The writer of the stream against a real Redis: batches as one command, how many of them, and who does not wait. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gatherPace } from "../../src/bus/gathering.js";
import { Outbox } from "../../src/bus/outbox.js";
import { StreamWriter } from "../../src/bus/stream-writer.js";
import { startRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";
import { connect } from "./connection.js";

const STREAM = "s";
const now = (): number => performance.now();

interface Stage {
  readonly say: (text: string | Buffer, isUrgent?: boolean) => void;
  readonly writer: StreamWriter;
  readonly failures: Error[];
  readonly entries: () => Promise<[id: string, fields: string[]][]>;
  /** Commands that have added entries. */
  readonly writes: () => Promise<number>;
  readonly call: (...args: [string, ...(string | number)[]]) => Promise<unknown>;
  readonly length: () => number;
}

async function stage(t: TestContext, gatherMs: number, retentionMs = 300_000): Promise<Stage> {
  const redis = await startRedis(t);
  const client = redis.client();
  const failures: Error[] = [];
  const outbox = new Outbox(1 << 26);
  const connection = await connect(t, redis);
  const writer = new StreamWriter({
    redis: connection,
    stream: STREAM,
    outbox,
    pace: gatherPace(gatherMs, now),
    retentionMs,
    bundling: undefined,
    now,
    onFailure: (error) => failures.push(error),
    onWritten: () => undefined,
  });
  t.after(() => writer.stop());
  let n = 0;
  const callsOf = (stats: string, name: string): number =>
    Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  return {
    writer,
    failures,
    say: (text, isUrgent) => {
      assert.ok(outbox.push({ uid: "uid", n: ++n, type: 3, header: String(n), nsp: undefined, data: text }));
      writer.appended(isUrgent);
    },
    entries: async () => await client.xrange(STREAM, "-", "+"),
    writes: async () => {
      const stats = await client.info("commandstats");
      const batches = callsOf(stats, "eval");
      // Those of a batch are counted as well.
      return batches === 0 ? callsOf(stats, "xadd") : batches;
    },
    call: (...args) => client.call(...args),
    length: () => outbox.length,
  };
}

const textOf = ([, fields]: [id: string, fields: string[]]): string | undefined => fields[5];
const TEXTS = ["plain", "é🐚\r\n$5\r\n", "", "x".repeat(100_000)];

test("a batch is one command, and its entries are what lone ones would be: text or bytes, in order", async (t) => {
  const { say, entries, writes, length } = await stage(t, 0);
  for (const text of TEXTS) say(text);
  for (const text of TEXTS) say(Buffer.from(text));
  await waitFor(() => length() === 0);
  const expected = [...TEXTS, ...TEXTS].map((text, i) => ["uid", "uid", "type", "3", "data", text, "l", String(i + 1)]);
  assert.deepEqual(
    (await entries()).map(([, fields]) => fields),
    expected,
  );
  assert.equal(await writes(), 1);
});

test("more than a batch holds goes in several, in order", async (t) => {
  const { say, entries, writes, length } = await stage(t, 0);
  for (let n = 1; n <= 2_000; n++) say(`text ${n}`);
  await waitFor(() => length() === 0);
  assert.deepEqual(
    (await entries()).map(([, fields]) => Number(fields.at(-1))),
    Array.from({ length: 2_000 }, (_, n) => n + 1),
  );
  assert.equal(await writes(), 4);
});

test("batches trim what is older than the retention", async (t) => {
  const { say, call, entries, length } = await stage(t, 0, 1_000);
  for (let n = 0; n < 300; n++) await call("XADD", STREAM, `${n + 1}-0`, "old", "one");
  for (const text of ["a", "b"]) say(text);
  await waitFor(() => length() === 0);
  // The clock of Redis is known from here on.
  for (const text of ["c", "d"]) say(text);
  await waitFor(() => length() === 0);
  const texts = (await entries()).map(textOf);
  assert.deepEqual(texts.slice(-4), ["a", "b", "c", "d"]);
  // By whole nodes of the stream, which hold a hundred.
  assert.ok(texts.length < 110, `${texts.length} entries`);
});

test("a batch that Redis refuses leaves nothing of itself, and is written once it can be", async (t) => {
  const { say, call, entries, failures, length } = await stage(t, 0);
  await call("CONFIG", "SET", "maxmemory", "1");
  for (const text of ["a", "b", "c"]) say(text);
  await waitFor(() => failures.some(({ message }) => message.includes("OOM")));
  assert.deepEqual(await entries(), []);
  await call("CONFIG", "SET", "maxmemory", "0");
  await waitFor(() => length() === 0);
  assert.deepEqual((await entries()).map(textOf), ["a", "b", "c"]);
});

test("many messages wait for each other, and few do not", async (t) => {
  const { say, writes, length } = await stage(t, 50);
  say("alone");
  await waitFor(() => length() === 0);
  assert.equal(await writes(), 1);
  const count = 500;
  for (let n = 0; n < count; n++) {
    say(`${n}`);
    if (n % 2 === 0) await delay(1);
  }
  await waitFor(() => length() === 0);
  const batches = await writes();
  t.diagnostic(`${count} messages in ${batches} writes`);
  assert.ok(batches < count / 6, `${batches} writes`);
});

test("what is urgent leaves at once, with all before it, and so does everything at the end", async (t) => {
  const { say, writer, entries, length } = await stage(t, 1_000);
  for (let n = 0; n < 200; n++) {
    say(`${n}`);
    await delay(1);
  }
  assert.ok(length() > 0, "they wait");
  const askedAt = now();
  say("a question", true);
  await waitFor(() => length() === 0, { intervalMs: 1 });
  assert.ok(now() - askedAt < 500, `after ${now() - askedAt} ms`);
  say("last words");
  await writer.drained(10_000);
  assert.equal(length(), 0);
  assert.equal((await entries()).length, 202);
});
