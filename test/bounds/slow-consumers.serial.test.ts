/** 100 MB for a client that does not read: what the worker keeps, what becomes of the client, what its neighbours notice. */
import assert from "node:assert/strict";
import test from "node:test";
import { flood, type Outcome, type Side } from "./flood.js";

/** client.maxBufferedBytes, unless configured. */
const LIMIT_MIB = 4;
/** What the documented recipe keeps of 100 MB, at the least. */
const LOSS_MIB = 60;

const CASES = ["does not read", "reads slowly and pongs blindly", "does not poll and pongs blindly"] as const;

const text = ({ grownMiB, closed, baseline, during }: Outcome): string =>
  `worker +${grownMiB.toFixed(1)} MiB; ` +
  `${closed === undefined ? "still connected" : `closed after ${Math.round(closed.afterMs)} ms (${closed.reason})`}; ` +
  `neighbours' round trip p50 ${baseline.p50.toFixed(1)} then ${during.p50.toFixed(1)} ms, ` +
  `p99 ${baseline.p99.toFixed(1)} then ${during.p99.toFixed(1)} ms`;

for (const kind of CASES) {
  const shows = `100 MB to a client that ${kind}`;
  const polls = kind === "does not poll and pongs blindly";

  test(`${shows} stay in the recipe's worker`, async (t) => {
    const outcome = await flood(t, "recipe", kind);
    t.diagnostic(text(outcome));
    assert.ok(outcome.grownMiB > LOSS_MIB, "the loss is gone");
    if (kind === "does not read") assert.equal(outcome.closed?.reason, "ping timeout");
    else assert.equal(outcome.closed, undefined);
  });

  const sides: readonly Side[] = polls
    ? ["limpet, one write a turn"]
    : ["limpet, one write a turn", "limpet, Engine.IO's writes"];
  for (const side of sides) {
    test(`${shows} end its session, cost less than 3 times the limit and nobody else (${side})`, async (t) => {
      const outcome = await flood(t, side, kind);
      t.diagnostic(text(outcome));
      assert.equal(outcome.closed?.reason, "slow consumer");
      assert.ok(outcome.grownMiB < 3 * LIMIT_MIB, `the worker grew by ${outcome.grownMiB} MiB`);
      assert.equal(outcome.lostNeighbours, 0);
      const { baseline, during } = outcome;
      assert.ok(during.p50 < 2 * baseline.p50 + 10, `p50 ${baseline.p50} ms, then ${during.p50} ms`);
      assert.ok(during.p99 < 2 * baseline.p99 + 100, `p99 ${baseline.p99} ms, then ${during.p99} ms`);
    });
  }
}
