/** A test for each case of a group: what is promised is kept. */
import assert from "node:assert/strict";
import test from "node:test";
import { CASES, type Case } from "./cases.js";
import { play } from "./play.js";
import { limpet, stock } from "./sides.js";
import { describe } from "./table.js";
import type { Verdict } from "./verdict.js";

export function testCases(group: Case["group"], nodes: Case["nodes"]): void {
  for (const each of CASES.filter((one) => one.group === group && one.nodes === nodes))
    test(`${each.name}: all are recovered, and nothing is missed, comes twice or comes late`, async (t) => {
      const verdict = await play(t, limpet, each, { noise: true });
      t.diagnostic(describe(verdict));
      assertKept(verdict, each);
    });
}

/** The same scenario with fewer clients, on the documented recipe with its recovery on. */
export function testLoss(name: string): void {
  test(`${name}: the documented recipe recovers nobody, and messages are missed`, async (t) => {
    const each = CASES.find((one) => one.name === name);
    assert.ok(each);
    const verdict = await play(t, stock, each, { noise: false, share: 0.2 });
    t.diagnostic(describe(verdict));
    assert.ok(verdict.struck > 0 && verdict.recovered === 0 && verdict.messages.missed > 0);
  });
}

function assertKept(verdict: Verdict, { clients, unicastsLost }: Case): void {
  const { struck, recovered, intact, messages, unicasts } = verdict;
  // More clients than are to be struck are connected where only some of them are.
  assert.ok(struck >= Math.min(clients, 200), `${struck} clients were struck`);
  assert.deepEqual({ recovered, intact }, { recovered: struck, intact: struck });
  assert.deepEqual(messages, { due: messages.due, missed: 0, twice: 0, late: 0 });
  assert.ok(messages.due > 0 && unicasts.due > 0, "something was sent");
  assert.deepEqual([unicasts.twice, unicasts.late], [0, 0], "events to single clients that came twice, or late");
  assert.ok(unicasts.missed <= unicastsLost * struck, `${unicasts.missed} events to single clients were missed`);
}
