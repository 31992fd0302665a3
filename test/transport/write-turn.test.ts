/** When writers write, by a clock of the test's own. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Ending, Turn } from "../../src/lib/turn.js";
import { EventOutlet } from "../../src/worker/event-outlet.js";
import { WriteTurn } from "../../src/worker/write-turn.js";

function start(t: test.TestContext, batchMs = 0) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const ending: Ending[] = [];
  const turn = { add: (end: Ending) => void ending.push(end) } as unknown as Turn;
  const written: string[] = [];
  let nowMs = 1_000;
  const writes = new WriteTurn({ turn, batchMs, beforeWrite: () => written.push("hub"), now: () => nowMs });
  const add = (name: string, takesMs: number): void =>
    writes.add({
      write: () => {
        written.push(name);
        nowMs += takesMs;
      },
    });
  return {
    written,
    writes,
    add,
    /** Enough writers that the time they take is looked at. */
    addMany: (takesMs: number) => {
      add("many", takesMs);
      for (let n = 1; n < 16; n++) writes.add({ write: () => undefined });
    },
    endTurn: () => ending.splice(0).forEach((end) => end.endTurn()),
    pass: (ms: number) => {
      nowMs += ms;
      t.mock.timers.tick(ms);
    },
  };
}

test("what is short to write leaves at the end of each turn, behind what was published", (t) => {
  const { written, add, endTurn } = start(t);
  for (const name of ["a", "b"]) {
    add(name, 0.1);
    add(`${name}, too`, 0.1);
    endTurn();
  }
  assert.deepEqual(written, ["hub", "a", "a, too", "hub", "b", "b, too"]);
});

test("after a long writing there is a pause in proportion, and more comes together; at most 4 ms", (t) => {
  for (const [takesMs, pauseMs] of [
    [0.25, 2],
    [50, 4],
  ] as const) {
    t.mock.timers.reset();
    const { written, add, addMany, endTurn, pass } = start(t);
    addMany(takesMs);
    endTurn();
    add("one", 0);
    pass(pauseMs - 1);
    add("another", 0);
    endTurn();
    assert.deepEqual(written, ["hub", "many"]);
    pass(1);
    assert.deepEqual(written, ["hub", "many", "hub", "one", "another"]);
    add("afterwards", 0);
    endTurn();
    assert.equal(written.at(-1), "afterwards");
  }
});

test("nobody waits for a pause that is over, nor longer than a window that is longer", (t) => {
  const { written, add, addMany, endTurn, pass } = start(t);
  addMany(1);
  endTurn();
  pass(4);
  add("later", 0);
  endTurn();
  assert.deepEqual(written, ["hub", "many", "hub", "later"]);

  t.mock.timers.reset();
  const windowed = start(t, 10);
  windowed.addMany(1);
  windowed.pass(10);
  windowed.add("next", 0);
  windowed.pass(9);
  assert.deepEqual(windowed.written, ["hub", "many"]);
  windowed.pass(1);
  assert.deepEqual(windowed.written, ["hub", "many", "hub", "next"]);
});

test("a few writers are no reason for a pause, however long they take", (t) => {
  const { written, add, endTurn } = start(t);
  add("a few", 50);
  endTurn();
  add("next", 0);
  endTurn();
  assert.deepEqual(written, ["hub", "a few", "hub", "next"]);
});

test("events for other workers leave with what is written to clients, once, and wait as that does", (t) => {
  const { written, writes, addMany, endTurn, pass } = start(t);
  const held: number[] = [];
  const wire = {
    hold: (frame: readonly Buffer[]) => held.length < 3 && held.push(frame.length) > 0,
    flush: () => void written.push(`${held.splice(0).length} events`),
  };
  const outlet = new EventOutlet(wire, writes);
  assert.ok(outlet.offer([]));
  assert.ok(outlet.offer([]));
  endTurn();
  assert.deepEqual(written.splice(0), ["hub", "2 events"]);

  addMany(50);
  endTurn();
  written.length = 0;
  for (let n = 0; n < 3; n++) assert.ok(outlet.offer([]));
  assert.equal(outlet.offer([]), false, "the wire is full");
  pass(3);
  endTurn();
  assert.deepEqual(written, []);
  pass(1);
  assert.deepEqual(written, ["hub", "3 events"]);
});
