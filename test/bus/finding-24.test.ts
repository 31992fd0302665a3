/**
 * Finding 24: with the stock adapter a message whose write was carried out and not confirmed comes twice; and since it publishes before it
 * delivers, a local message overtakes earlier ones, and one that precedes a disconnection is lost.
 */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import type { RedisCommand } from "../support/redis-commands.js";
import { waitFor } from "../support/wait.js";
import { STREAM } from "./fleet.js";
import { all, collect, mark, publish, type Outcome } from "./recipe/numbers.js";
import { limpet, startPair, stock, type Side } from "./recipe/sides.js";

/** A lone entry, or limpet's batch: a script that is given the stream. */
const writesEntries = ({ name, args }: RedisCommand): boolean =>
  name === "XADD" || (name === "EVAL" && args[2]?.toString() === STREAM);

/** The write reaches Redis; its confirmation does not reach the server. */
async function lostReply(t: TestContext, side: Side, count: number): Promise<Outcome> {
  const { a, b } = await startPair(t, side);
  const got = collect(b.member);
  await mark(a.member, [b.member]);
  const swallowed = a.proxy.swallowReplies(writesEntries);
  await publish(a.member, count);
  await swallowed;
  await mark(a.member, [b.member]);
  return got.outcome();
}

test("a write whose reply was lost: with the stock adapter the message comes twice", async (t) => {
  assert.deepEqual(await lostReply(t, stock, 1), { delivered: 1, duplicates: 1, inOrder: true });
});

test("a write whose reply was lost: on limpet the message comes once", async (t) => {
  assert.deepEqual(await lostReply(t, limpet, 1), all(1));
});

test("a batch whose reply was lost: on limpet each message comes once, in order", async (t) => {
  assert.deepEqual(await lostReply(t, limpet, 100), all(100));
});

/** What a client of the publishing server gets, in order. */
async function localAfterAll(t: TestContext, side: Side): Promise<string[]> {
  const { a } = await startPair(t, side);
  await a.member.run(({ io }) => {
    io.emit("first");
    io.local.emit("second");
  });
  await waitFor(() => a.member.received.length === 2);
  return a.member.received.map(([event]) => event);
}

test("io.local.emit after io.emit: the stock adapter delivers it first", async (t) => {
  assert.deepEqual(await localAfterAll(t, stock), ["second", "first"]);
});

test("io.local.emit after io.emit: limpet delivers both in order", async (t) => {
  assert.deepEqual(await localAfterAll(t, limpet), ["first", "second"]);
});

/** What a client gets that is disconnected right after a message to it was emitted. */
async function lastWords(t: TestContext, side: Side): Promise<string[]> {
  const { a } = await startPair(t, side);
  const leaver = await a.connect();
  const task = leaver.run(({ io, socket }) => {
    io.emit("last words");
    socket.disconnect(true);
  });
  await assert.rejects(task, /disconnected/);
  return leaver.received.map(([event]) => event);
}

test("emit and then disconnect(true): with the stock adapter the message is lost", async (t) => {
  assert.deepEqual(await lastWords(t, stock), []);
});

test("emit and then disconnect(true): on limpet the message arrives", async (t) => {
  assert.deepEqual(await lastWords(t, limpet), ["last words"]);
});
