/** What the soak judges by: who must hear what, which memory is flat, and what is done to the fleet when. */
import assert from "node:assert/strict";
import test from "node:test";
import { Ledger, TAIL_MS } from "../../loadtests/soak/ledger.js";
import { growthOf, type Sample } from "../../loadtests/soak/memory.js";
import { planFor } from "../../loadtests/soak/schedule.js";

const PUBLISHER = 0;
const NEAR = 1;
const FAR = 2;

/** A publisher and a member on node 1, a member on node 2, all in one room. */
function threeClients(): Ledger {
  const ledger = new Ledger();
  for (const id of [PUBLISHER, NEAR, FAR]) ledger.add(id, "room");
  for (const id of [PUBLISHER, NEAR]) ledger.joined(id, 1);
  ledger.joined(FAR, 2);
  return ledger;
}

/** The publisher speaks, and the members named hear it. */
function say(ledger: Ledger, atMs: number, ...members: readonly number[]): number {
  const n = ledger.said(PUBLISHER, atMs);
  for (const id of members) ledger.heard(id, PUBLISHER, n, atMs + 5);
  return n;
}

function faultsOf(ledger: Ledger): { lost: number; repeated: number; overtaken: number } {
  const { lost, repeated, overtaken } = ledger.counts;
  return { lost, repeated, overtaken };
}

const NONE = { lost: 0, repeated: 0, overtaken: 0 };
const ALL = [PUBLISHER, NEAR, FAR];

test("nothing is wrong where everyone hears everything in order, however late", () => {
  const ledger = threeClients();
  const [first, second] = [ledger.said(PUBLISHER, 0), ledger.said(PUBLISHER, 20)];
  for (const id of ALL) {
    ledger.heard(id, PUBLISHER, first, 50_000);
    assert.ok(ledger.pending > 0);
    ledger.heard(id, PUBLISHER, second, 50_001);
  }
  assert.equal(ledger.pending, 0);
  ledger.close();
  assert.deepEqual(faultsOf(ledger), NONE);
  assert.deepEqual([ledger.counts.heard, ledger.counts.late, ledger.counts.slowestMs], [6, 6, 50_000]);
});

test("a hole is a loss, one that is filled later is a wrong order, and hearing twice is a fault", () => {
  const ledger = threeClients();
  say(ledger, 0, ...ALL);
  const hole = say(ledger, 20, PUBLISHER, NEAR);
  const last = say(ledger, 40, ...ALL);
  assert.deepEqual(faultsOf(ledger), { ...NONE, lost: 1 });
  ledger.heard(FAR, PUBLISHER, hole, 60);
  assert.deepEqual(faultsOf(ledger), { ...NONE, overtaken: 1 });
  ledger.heard(NEAR, PUBLISHER, last, 60);
  assert.deepEqual(faultsOf(ledger), { ...NONE, overtaken: 1, repeated: 1 });
  assert.equal(ledger.told.length, 3);
});

test("what is never heard is pending, and lost when the run is closed", () => {
  const ledger = threeClients();
  say(ledger, 0, PUBLISHER, NEAR);
  assert.equal(ledger.pending, 1);
  ledger.close();
  assert.deepEqual(faultsOf(ledger), { ...NONE, lost: 1 });
});

test("a member that is cut is excused from its last message, no longer ago than the tail, to its next join", () => {
  const ledger = threeClients();
  say(ledger, 0, ...ALL);
  say(ledger, 1_000, PUBLISHER, NEAR);
  ledger.cut(FAR, 1_000 + TAIL_MS - 1);
  say(ledger, 20_000, PUBLISHER, NEAR);
  ledger.joined(FAR, 3);
  say(ledger, 30_000, ...ALL);
  ledger.close();
  assert.deepEqual(faultsOf(ledger), NONE);
  assert.equal(ledger.counts.excused, 1, "of the two, one was said while nobody was connected there");
});

test("what a member had not heard long before it was cut is lost", () => {
  const ledger = threeClients();
  say(ledger, 0, PUBLISHER, NEAR);
  ledger.cut(FAR, TAIL_MS + 1);
  assert.deepEqual(faultsOf(ledger), { ...NONE, lost: 1 });
});

test("what is said right after the join was acknowledged must be heard", () => {
  const ledger = threeClients();
  ledger.cut(FAR, 0);
  ledger.joined(FAR, 2);
  say(ledger, 1, PUBLISHER, NEAR);
  say(ledger, 2, ...ALL);
  assert.deepEqual(faultsOf(ledger), { ...NONE, lost: 1 });
});

test("the last words of a publisher that is cut are excused where no other node heard any of them", () => {
  const ledger = threeClients();
  say(ledger, 0, ...ALL);
  say(ledger, 20, PUBLISHER, NEAR);
  ledger.cut(PUBLISHER, 40);
  ledger.cut(NEAR, 40);
  assert.equal(ledger.pending, 0);
  ledger.joined(PUBLISHER, 3);
  ledger.joined(NEAR, 3);
  say(ledger, 5_000, ...ALL);
  ledger.close();
  assert.deepEqual(faultsOf(ledger), NONE);
});

test("where another node heard later words of a publisher that is cut, the earlier ones are not excused", () => {
  const ledger = new Ledger();
  const other = 3;
  for (const id of [...ALL, other]) ledger.add(id, "room");
  for (const id of [PUBLISHER, NEAR]) ledger.joined(id, 1);
  for (const id of [FAR, other]) ledger.joined(id, 2);
  say(ledger, 0, PUBLISHER, NEAR, other);
  say(ledger, 20, PUBLISHER, NEAR);
  ledger.cut(PUBLISHER, 40);
  ledger.cut(NEAR, 40);
  ledger.close();
  assert.deepEqual(faultsOf(ledger), { ...NONE, lost: 1 }, "the first message, of the one that did not hear it");
});

test("a message that comes once more on a new connection right after a cut is no fault, a long time after it is one", () => {
  for (const [cutAtMs, expected] of [
    [TAIL_MS - 1, NONE],
    [TAIL_MS, { ...NONE, repeated: 1 }],
  ] as const) {
    const ledger = threeClients();
    const n = say(ledger, 0, ...ALL);
    ledger.cut(FAR, cutAtMs);
    ledger.joined(FAR, 3);
    ledger.heard(FAR, PUBLISHER, n, cutAtMs + 5);
    assert.deepEqual(faultsOf(ledger), expected);
  }
});

const samplesOf = (mbAt: (second: number) => number): Sample[] =>
  Array.from({ length: 300 }, (_, i) => ({ atMs: 2_000 * i, mb: mbAt(2 * i) }));

test("memory that saws or warms up is flat, memory that grows all the time is not", () => {
  const sawing = growthOf({ samples: samplesOf((second) => 80 + (second % 40)) }, 60_000);
  assert.equal(sawing?.flat, true);
  const warming = growthOf({ samples: samplesOf((second) => 60 + Math.min(second, 50)) }, 60_000);
  assert.equal(warming?.flat, true);
  const leaking = growthOf({ samples: samplesOf((second) => 60 + second / 30 + (second % 40) / 4) }, 60_000);
  assert.equal(leaking?.flat, false);
  assert.ok(Math.abs(leaking.perMinuteMb - 2) < 0.2, String(leaking.perMinuteMb));
});

test("a process that lived hardly longer than its warm-up is not judged", () => {
  assert.equal(growthOf({ samples: samplesOf(() => 80).slice(0, 35) }, 60_000), undefined);
});

test("an hour has eleven kills and two restarts of Redis between them; two minutes have two of each", () => {
  for (const [minutes, kills] of [
    [60, 11],
    [2, 2],
  ] as const) {
    const { steps, durationMs, awayMs } = planFor(minutes);
    assert.equal(steps.filter(({ blow }) => blow === "kill a node").length, kills);
    assert.equal(steps.filter(({ blow }) => blow === "restart redis").length, 1);
    assert.equal(steps.filter(({ blow }) => blow === "restart redis empty").length, 1);
    const times = [0, ...steps.map(({ atMs }) => atMs), durationMs];
    for (const [i, atMs] of times.entries()) {
      const next = times[i + 1];
      if (next !== undefined) assert.ok(next - atMs > 2 * awayMs, `${atMs} and ${next} ms`);
    }
  }
});
