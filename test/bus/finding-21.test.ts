/**
 * Finding 21: an exception while the stock adapter handles an entry leaves it where it was, and it handles the same entry again, for ever. A message
 * that cannot be serialised ends the process. limpet skips and counts what it cannot read, delivers everything once, and throws at the caller.
 */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { connect, connectTo, type Member } from "../hub/fleet.js";
import { waitFor } from "../support/wait.js";
import { collect, mark, publish } from "./recipe/numbers.js";
import { poisons, WITHOUT_DATA } from "./recipe/poison.js";
import { limpet, startPair, stock, type Side } from "./recipe/sides.js";

const STREAM = "socket.io";

test("an entry without data: stock servers read it again and again, and hear nothing more", async (t) => {
  const { redis, a, b } = await startPair(t, stock);
  const client = redis.client();
  const got = collect(b.member);
  const reads = async (): Promise<number> =>
    Number(/cmdstat_xread:calls=(\d+)/.exec(await client.info("commandstats"))?.[1] ?? 0);
  // Before its first entry the adapter forgets what it has not handled.
  await mark(a.member, [b.member]);
  const before = await reads();
  await client.xadd(STREAM, "*", ...WITHOUT_DATA.fields);
  await publish(a.member, 1);
  await waitFor(async () => (await reads()) > before + 1_000, { intervalMs: 100, timeoutMs: 20_000 });
  assert.deepEqual(got.numbers, []);
});

test("entries of every wrong kind: limpet delivers what comes behind each to a client that stays connected", async (t) => {
  const { redis, a, b } = await startPair(t, limpet);
  const client = redis.client();
  // In a namespace without harm.
  const publisher = await connect(t, `${a.url}/custom`);
  const harmful: string[] = [];
  let member = b.member;
  let got = collect(member);
  for (const [n, { name, fields }] of poisons.entries()) {
    await client.xadd(STREAM, "*", ...fields);
    await publish(publisher, 1, { first: n });
    await waitFor(() => got.numbers.at(-1) === n || !member.client.connected, { intervalMs: 2, message: name });
    if (got.numbers.at(-1) === n && a.exits() + b.exits() === 0) continue;
    harmful.push(name);
    member = await b.connect();
    got = collect(member);
  }
  assert.deepEqual(harmful, []);
  await mark(publisher, [member]);
  assert.deepEqual(got.outcome(), { delivered: poisons.length, duplicates: 0, inOrder: true });
  assert.equal(a.exits() + b.exits(), 0);
  const skipped = await b.metric("limpet_bus_skipped_total");
  t.diagnostic(`${skipped} counted as skipped, of ${poisons.length}; the others were passed on or are nobody's`);
  assert.ok(skipped >= 20, `${skipped} counted as skipped`);
  assert.ok(b.node?.logs().some(({ msg }) => msg === "an entry of the stream was skipped"));
});

/** A client of the worker that has a socket behind it for which a listener of the app throws when it is sent this event. */
async function throwingListener(t: TestContext, side: Side) {
  const { a, b } = await startPair(t, side);
  const thrower = await connectTo(t, b.url, b.member.worker);
  // Before its first entry the stock adapter forgets what it has not handled.
  await mark(a.member, [b.member]);
  await thrower.run(({ socket }) => {
    socket.onAnyOutgoing((event) => {
      if (event === "boom") throw new Error("thrown by the app's listener");
    });
  });
  await a.member.run(({ io }) => void io.emit("boom"));
  const times = (): number => b.member.received.filter(([event]) => event === "boom").length;
  return { a, b, times };
}

test("a listener that throws: stock servers deliver the message without end", async (t) => {
  const { times } = await throwingListener(t, stock);
  await waitFor(() => times() > 1_000, { timeoutMs: 20_000 });
});

test("a listener that throws: limpet delivers the message once, and the next one", async (t) => {
  const { a, b, times } = await throwingListener(t, limpet);
  await mark(a.member, [b.member]);
  assert.equal(times(), 1);
  assert.equal(a.exits() + b.exits(), 0);
});

const emitBigInt = (member: Member): Promise<void> => member.run(({ io }) => void io.emit("m", 1n));

test("a BigInt: a stock server ends", async (t) => {
  const { a } = await startPair(t, stock);
  await emitBigInt(a.member).catch(() => "its process has ended before it could answer");
  await waitFor(() => a.exits() === 1);
});

test("a BigInt: limpet throws where it was emitted, and goes on", async (t) => {
  const { a, b } = await startPair(t, limpet);
  await assert.rejects(emitBigInt(a.member), /BigInt/);
  await mark(a.member, [b.member]);
  assert.equal(a.exits() + b.exits(), 0);
});
