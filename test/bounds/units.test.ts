/** The parts that need no server: budgets, depths, rooms, acks, and the log that clients cannot fill. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Logger } from "pino";
import { BoundedLog } from "../../src/telemetry/bounded-log.js";
import { isDeeper } from "../../src/worker/bounded-decoder.js";
import { EventBudget } from "../../src/worker/event-budget.js";
import { PendingAcks } from "../../src/worker/pending-acks.js";
import { RoomBound, TooManyRoomsError } from "../../src/worker/room-bound.js";

test("a budget gives the burst at once, then the rate, and never more than the burst after a pause", () => {
  const budget = new EventBudget({ maxEventsPerSecond: 10, maxEventsBurst: 3 });
  const taken = (nowMs: number, times: number): number =>
    Array.from({ length: times }, () => budget.take(nowMs)).filter((verdict) => verdict === "taken").length;
  assert.equal(taken(0, 5), 3);
  assert.equal(taken(99, 1), 0);
  assert.equal(taken(100, 1), 1);
  assert.equal(taken(60_000, 10), 3);
  const uneven = new EventBudget({ maxEventsPerSecond: 333, maxEventsBurst: 700 });
  const verdicts = Array.from({ length: 701 }, () => uneven.take(0.1));
  assert.equal(verdicts.indexOf("refused"), 700);
});

test("a budget speaks of a flood once a burst has been refused, unless it was full again in between", () => {
  const limits = { maxEventsPerSecond: 10, maxEventsBurst: 3 };
  const flooded = new EventBudget(limits);
  const verdicts = Array.from({ length: 6 }, () => flooded.take(0));
  assert.deepEqual(verdicts, ["taken", "taken", "taken", "refused", "refused", "flood"]);
  const paused = new EventBudget(limits);
  for (let n = 0; n < 5; n++) paused.take(0);
  for (let n = 0; n < 3; n++) assert.equal(paused.take(1_000), "taken");
  for (let n = 0; n < 2; n++) assert.equal(paused.take(1_000), "refused");
  assert.equal(paused.take(1_000), "flood");
});

test("depth is that of arrays and objects open at once, wherever they stand and whatever strings hold", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  assert.equal(isDeeper(nested(500), 500), false);
  assert.equal(isDeeper(nested(501), 500), true);
  assert.equal(isDeeper(`2${'{"a":'.repeat(501)}1${"}".repeat(501)}`, 500), true);
  assert.equal(isDeeper(`[${"[],".repeat(10_000)}1]`, 500), false, "many, side by side");
  assert.equal(isDeeper(JSON.stringify(["[".repeat(5_000)]), 500), false, "in a string");
  assert.equal(isDeeper(JSON.stringify([`\\"${"[".repeat(5_000)}`]), 500), false, "in a string, behind a quote");
  assert.equal(
    isDeeper(JSON.stringify(["\\", JSON.parse(nested(600))]), 500),
    true,
    "behind a string with a backslash",
  );
});

test("a socket may be in so many rooms besides its own, and a join is refused whole", async () => {
  let refused = 0;
  const bound = new RoomBound(2, () => refused++);
  const joined = new Set(["id", "a"]);
  assert.equal(bound.refuse("id", undefined, new Set(["id"])), undefined);
  assert.equal(bound.refuse("id", joined, new Set(["a", "b"])), undefined);
  await assert.rejects(bound.refuse("id", joined, new Set(["b", "c"])) ?? Promise.resolve(), (error) => {
    assert.ok(error instanceof TooManyRoomsError);
    assert.equal(error.code, "LIMPET_TOO_MANY_ROOMS");
    return true;
  });
  assert.equal(refused, 1);
  const over = new Set(["id", "a", "b", "c"]);
  assert.equal(bound.refuse("id", over, new Set(["a"])), undefined, "a room it is in already");
});

test("of the acks that are awaited the oldest is given up for one too many", () => {
  let givenUp = 0;
  const acks = new PendingAcks<string>({ maxPendingAcks: 2, onGivenUp: () => givenUp++ }, undefined as never);
  acks.set(1, "a").set(2, "b").set(2, "c");
  assert.equal(givenUp, 0);
  acks.set(3, "d");
  assert.deepEqual([...acks.keys()], [2, 3]);
  assert.equal(givenUp, 1);
});

test("of each kind of warning one a second is logged, and the next one tells how many were not", () => {
  let nowMs = 0;
  const lines: unknown[] = [];
  const log = new BoundedLog({ warn: (...line: unknown[]) => lines.push(line) } as unknown as Logger, () => nowMs);
  for (let n = 0; n < 10; n++) log.warn({ n }, "one kind");
  log.warn({}, "another kind");
  nowMs = 1_000;
  log.warn({ n: 10 }, "one kind");
  assert.deepEqual(lines, [
    [{ n: 0 }, "one kind"],
    [{}, "another kind"],
    [{ n: 10, unsaid: 9 }, "one kind"],
  ]);
});
