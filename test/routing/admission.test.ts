import assert from "node:assert/strict";
import test from "node:test";
import { chooseForSession, type Candidate } from "../../src/routing/admission.js";
import { Budget } from "../../src/routing/budget.js";

const LIMITS = { maxWaiting: 10, maxLagMs: 500, maxWaitMs: 1_000 };

interface Worker extends Candidate {
  sessions: number;
}
const worker = (over: Partial<Candidate> = {}, perSecond = 100): Worker => ({
  ...{ sessions: 0, waiting: 0, lagMs: 0 },
  budget: new Budget({ count: perSecond, perMs: 1_000, burstMs: 100, maxDebtMs: 1_000 }),
  ...over,
});
const spend = (one: Worker, count: number): Worker => {
  for (let i = 0; i < count; i++) one.budget.take(0);
  return one;
};

test("the least loaded worker is chosen, connections that wait for it included", () => {
  const workers = [worker({ sessions: 5 }), worker({ sessions: 3, waiting: 3 }), worker({ sessions: 4 })];
  assert.deepEqual(chooseForSession(workers, LIMITS, 0, 0), { candidate: workers[2], waitMs: 0 });
});

test("a worker that has just replaced another gets what its budget allows, and the others the rest", () => {
  const empty = worker();
  const full = [worker({ sessions: 500 }), worker({ sessions: 500 })];
  const counts = new Map<Worker, number>();
  for (let i = 0; i < 30; i++) {
    const place = chooseForSession([empty, ...full], LIMITS, 0, i);
    assert.ok(typeof place !== "string" && place.waitMs === 0);
    place.candidate.sessions++;
    place.candidate.budget.take(0);
    counts.set(place.candidate, (counts.get(place.candidate) ?? 0) + 1);
  }
  assert.deepEqual([counts.get(empty), ...full.map((one) => counts.get(one))], [10, 10, 10]);
});

test("where all must wait, the shortest wait wins, whoever has fewer sessions", () => {
  const [busy, free] = [spend(worker(), 40), spend(worker({ sessions: 100 }), 20)];
  assert.deepEqual(chooseForSession([busy, free], LIMITS, 0, 0), { candidate: free, waitMs: 110 });
});

test("who cannot take it is left out: a worker that lags, one for which too many wait, one that is over its budget", () => {
  const out = [worker({ lagMs: 501 }), worker({ waiting: 10 }), spend(worker(), 1_000)];
  const fit = worker({ sessions: 1_000, lagMs: 500 });
  assert.deepEqual(chooseForSession([...out, fit], LIMITS, 0, 0), { candidate: fit, waitMs: 0 });
});

test("where none takes it, the reason is told", () => {
  const choose = (...workers: Worker[]): unknown => chooseForSession(workers, LIMITS, 0, 0);
  assert.equal(choose(), "no_worker");
  assert.equal(choose(worker({ waiting: 10 })), "overloaded");
  assert.equal(choose(worker({ lagMs: Infinity }), worker({ waiting: 10 })), "lagging");
  assert.equal(choose(spend(worker(), 1_000), worker({ lagMs: Infinity })), "over_budget");
});

test("of equals each gets its turn", () => {
  const workers = [worker(), worker(), worker()];
  const chosen = [0, 1, 2, 3].map((turn) => {
    const place = chooseForSession(workers, LIMITS, 0, turn);
    return typeof place === "string" ? -1 : workers.indexOf(place.candidate);
  });
  assert.deepEqual(chosen, [0, 1, 2, 0]);
});
