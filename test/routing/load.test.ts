import assert from "node:assert/strict";
import test from "node:test";
import { leastLoaded, Load, ON_THE_WAY_MAX_AGE_MS } from "../../src/routing/load.js";

test("a burst in one tick spreads evenly, because sessions on their way count", () => {
  const loads = Array.from({ length: 4 }, () => new Load());
  for (let i = 0; i < 300; i++) leastLoaded(loads, (load) => load.total(0), i)?.handedOver(0);
  assert.deepEqual(
    loads.map((load) => load.total(0)),
    [75, 75, 75, 75],
  );
});

test("a session that opens takes the place of one on its way", () => {
  const load = new Load();
  load.handedOver(0);
  load.handedOver(0);
  load.sessionsOpened(1);
  assert.equal(load.total(1), 2);
  assert.equal(load.sessions, 1);
  load.sessionsClosed(1);
  assert.equal(load.total(1), 1);
  load.sessionsOpened(3);
  load.sessionsClosed(5);
  assert.equal(
    load.total(1),
    0,
    "sessions that came past the front leave nothing on its way, and never are less than none",
  );
});

test("a connection that never became a session stops counting", () => {
  const load = new Load();
  load.handedOver(0);
  assert.equal(load.total(ON_THE_WAY_MAX_AGE_MS), 1);
  assert.equal(load.total(ON_THE_WAY_MAX_AGE_MS + 1), 0);
});

test("of equals each gets its turn, and of nobody there is none", () => {
  const names = ["a", "b", "c"];
  assert.deepEqual(
    [0, 1, 2, 3].map((turn) => leastLoaded(names, () => 1, turn)),
    ["a", "b", "c", "a"],
  );
  assert.equal(
    leastLoaded([], () => 1, 5),
    undefined,
  );
});
