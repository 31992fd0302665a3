/** How long to wait for more: not at all where little comes, as long as allowed where much does, and less where enough comes sooner. */
import assert from "node:assert/strict";
import test from "node:test";
import { Pace } from "../../src/lib/pace.js";

/** @returns the wait after a second of so many a second, noted every `everyMs` */
function waitAt(
  perSecond: number,
  everyMs = 10,
  limits: Partial<{ maxMs: number; min: number; enough: number }> = {},
): number {
  let nowMs = 0;
  const pace = new Pace({ maxMs: 20, min: 3, enough: 25, ...limits, now: () => nowMs });
  for (; nowMs < 1_000;) {
    nowMs += everyMs;
    pace.note((perSecond * everyMs) / 1_000);
  }
  return pace.waitMs;
}

test("nobody waits where fewer come than are worth it", () => {
  assert.equal(waitAt(0), 0);
  assert.equal(waitAt(145), 0);
});

test("where more come the wait is the longest allowed, and shorter where enough have come by then", () => {
  assert.equal(waitAt(155), 20);
  assert.equal(waitAt(1_200), 20);
  assert.ok(Math.abs(waitAt(5_000) - 5) < 0.5);
  assert.equal(waitAt(5_000, 10, { maxMs: 4, enough: Infinity }), 4);
});

test("the estimate is the same however often it is told", () => {
  for (const everyMs of [1, 5, 50, 200]) assert.ok(Math.abs(waitAt(2_500, everyMs) - 10) < 1, `every ${everyMs} ms`);
});

test("a longest wait of 0 is none", () => {
  assert.equal(waitAt(10_000, 10, { maxMs: 0 }), 0);
});

test("traffic that has ended is forgotten within a moment", () => {
  let nowMs = 0;
  const pace = new Pace({ maxMs: 20, min: 3, enough: 25, now: () => nowMs });
  for (let i = 0; i < 100; i++) {
    nowMs += 10;
    pace.note(10);
  }
  assert.equal(pace.waitMs, 20);
  nowMs += 100;
  pace.note(0);
  assert.equal(pace.waitMs, 0);
});
