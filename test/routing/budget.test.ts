import assert from "node:assert/strict";
import test from "node:test";
import { Budget } from "../../src/routing/budget.js";

const perSecond = (count: number | null, burstMs = 100): Budget =>
  new Budget({ count, perMs: 1_000, burstMs, maxDebtMs: 1_000 });

/** When each of `count` that come at once may pass. */
function passAt(budget: Budget, count: number, nowMs: number): number[] {
  return Array.from({ length: count }, () => {
    const waitMs = budget.waitMs(nowMs);
    budget.take(nowMs);
    return waitMs;
  });
}

test("a tenth of a second's share passes at once, and the rest one by one, evenly", () => {
  const waits = passAt(perSecond(100), 30, 5_000);
  assert.deepEqual(waits.slice(0, 10), Array<number>(10).fill(0));
  assert.deepEqual(
    waits.slice(10),
    Array.from({ length: 20 }, (_, i) => 10 * (i + 1)),
  );
});

test("over any second no more pass than the budget and one burst", () => {
  const budget = perSecond(500);
  const passed: number[] = [];
  for (let nowMs = 0; nowMs < 3_000; nowMs++) {
    for (let i = 0; i < 5; i++) {
      if (budget.waitMs(nowMs) > 0) break;
      budget.take(nowMs);
      passed.push(nowMs);
    }
  }
  for (let from = 0; from <= 2_000; from += 100) {
    const inSecond = passed.filter((atMs) => atMs >= from && atMs < from + 1_000).length;
    assert.ok(inSecond <= 551, `${inSecond} passed from ${from} ms on`);
  }
  assert.ok(passed.length >= 1_500, `${passed.length} passed in three seconds`);
});

test("where the share of the burst is less than one, one passes all the same", () => {
  assert.deepEqual(passAt(perSecond(2), 3, 0), [0, 500, 1_000]);
});

test("without a count nothing waits", () => {
  assert.deepEqual([...new Set(passAt(perSecond(null), 10_000, 0))], [0]);
});

test("what was counted although there was no room is remembered up to a bound", () => {
  const budget = perSecond(100);
  for (let i = 0; i < 100_000; i++) budget.take(0);
  assert.ok(budget.waitMs(0) <= 1_010, String(budget.waitMs(0)));
  assert.equal(budget.waitMs(1_010), 0);
});

test("a budget that was left alone is full, and holds no more than one burst", () => {
  const budget = perSecond(100);
  budget.take(0);
  assert.equal(budget.isFull(9), false);
  assert.equal(budget.isFull(10), true);
  assert.equal(passAt(budget, 20, 1_000_000).filter((waitMs) => waitMs === 0).length, 10);
});
