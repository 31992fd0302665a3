/** When the reader asks again: at once where entries come one by one, a moment later where more are to come in it. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { StreamReader } from "../../src/bus/stream-reader.js";
import type { RedisConnection } from "../../src/lib/redis.js";

interface Rig {
  readonly reader: StreamReader;
  /** Reads so far. */
  readonly reads: () => number;
  /** Entries handed over so far. */
  readonly entries: () => number;
  /** Answers the read that is open, so many ms after the last answer; then lets the reader go on. */
  answer(entries: number, afterMs: number): Promise<void>;
  /** Lets time go by, timers too. */
  pass(ms: number): Promise<void>;
}

async function start(t: TestContext): Promise<Rig> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 1_000;
  let reads = 0;
  let taken = 0;
  let id = 0;
  let reply: ((value: unknown) => void) | undefined;
  const unused = (): never => assert.fail("not a reader's call");
  const redis: RedisConnection = {
    ready: true,
    call: (command) => Promise.resolve(command === "TIME" ? ["1", "0"] : ["last-generated-id", "0-0", "length", 0]),
    callBuffer: () => {
      reads++;
      return new Promise((resolve) => (reply = resolve));
    },
    transaction: () => Promise.resolve([["last-generated-id", "0-0", "length", 0, "entries-added", 0], [], null]),
    callEach: unused,
    reset: unused,
    close: unused,
  };
  const reader = new StreamReader({
    redis,
    stream: "stream",
    now: () => nowMs,
    onPositioned: () => undefined,
    onEntry: () => void taken++,
    onSkipped: unused,
    onGap: unused,
    onReached: () => undefined,
    onFailure: unused,
  });
  const run = reader.run();
  t.after(async () => {
    reader.stop();
    reply?.(null);
    await run;
  });
  const settle = async (): Promise<void> => {
    await setImmediate();
    await setImmediate();
  };
  await settle();
  return {
    reader,
    reads: () => reads,
    entries: () => taken,
    answer: async (entries, afterMs) => {
      nowMs += afterMs;
      const raw = Array.from({ length: entries }, () => [
        Buffer.from(`${++id}-0`),
        [Buffer.from("uid"), Buffer.from("a")],
      ]);
      reply?.(entries === 0 ? null : [["stream", raw]]);
      await settle();
    },
    pass: async (ms) => {
      nowMs += ms;
      t.mock.timers.tick(ms);
      await settle();
    },
  };
}

test("entries that come seldom are read one by one, without a pause", async (t) => {
  const rig = await start(t);
  assert.equal(rig.reads(), 1);
  for (let n = 1; n <= 200; n++) {
    await rig.answer(1, 5);
    assert.equal(rig.reads(), n + 1, `after ${n} entries, 200 a second`);
  }
  assert.equal(rig.entries(), 200);
});

/** 4,000 entries a second, two by two, until the reader waits. */
async function untilItWaits(rig: Rig): Promise<void> {
  for (let n = 1; rig.reads() > rig.entries() >> 1; n++) {
    assert.ok(n < 200, "4,000 entries a second for 100 ms");
    await rig.answer(2, 0.5);
  }
}

test("under heavy traffic a read waits for more, and no longer than the traffic lasts", async (t) => {
  const rig = await start(t);
  await untilItWaits(rig);
  const before = rig.reads();
  await rig.pass(3);
  assert.equal(rig.reads(), before);
  await rig.pass(1);
  assert.equal(rig.reads(), before + 1, "after 4 ms");
  // What came meanwhile comes with it.
  const had = rig.entries();
  await rig.answer(16, 0);
  assert.equal(rig.entries(), had + 16);
  assert.equal(rig.reads(), before + 1);
  await rig.pass(4);
  assert.equal(rig.reads(), before + 2);
  await rig.answer(1, 200);
  assert.equal(rig.reads(), before + 3, "one that comes 200 ms later: it asks at once again");
});

test("a connection that is back ends the waiting, and so does the end", async (t) => {
  const rig = await start(t);
  await untilItWaits(rig);
  const before = rig.reads();
  rig.reader.wake();
  await rig.pass(0);
  assert.equal(rig.reads(), before + 1);
  // After the test the reader is stopped, and must end without another tick of the clock.
  await rig.answer(16, 0);
});

test("a batch that is full is followed by the next at once", async (t) => {
  const rig = await start(t);
  for (let n = 0; n < 5; n++) {
    const before = rig.reads();
    await rig.answer(200, 1);
    assert.equal(rig.reads(), before + 1);
  }
});
