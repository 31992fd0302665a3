/** When what belongs together is written: at the turn's end, or at once where the process was quiet before. */
import assert from "node:assert/strict";
import test from "node:test";
import { Turn } from "../../src/lib/turn.js";

const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
const turnsEnd = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function watched() {
  const clock = { ms: 0 };
  const turn = new Turn(() => clock.ms);
  const ended: string[] = [];
  const add = (name: string): void => turn.add({ endTurn: () => void ended.push(name) });
  return { clock, turn, ended, add };
}

test("after a quiet time writes leave, in order, when the code that runs has ended", async () => {
  const { ended, add } = watched();
  add("one");
  add("two");
  assert.deepEqual(ended, []);
  await tick();
  assert.deepEqual(ended, ["one", "two"]);
});

test("what follows within a millisecond waits for the turn's end", async () => {
  const { clock, ended, add } = watched();
  add("first");
  await tick();
  clock.ms += 1;
  add("second");
  await tick();
  add("third");
  await tick();
  assert.deepEqual(ended, ["first"]);
  await turnsEnd();
  assert.deepEqual(ended, ["first", "second", "third"]);
  clock.ms += 1.1;
  add("fourth");
  await tick();
  assert.equal(ended.at(-1), "fourth");
});

test("what bytes from outside have caused leaves with their callback, unless the last has just left", async () => {
  const { clock, turn, ended, add } = watched();
  turn.begin();
  add("one");
  add("two");
  assert.deepEqual(ended, []);
  turn.done();
  assert.deepEqual(ended, ["one", "two"]);
  turn.begin();
  add("three");
  turn.done();
  turn.begin();
  add("four");
  turn.done();
  assert.deepEqual(ended, ["one", "two"]);
  clock.ms += 5;
  turn.begin();
  add("five");
  turn.done();
  assert.deepEqual(ended, ["one", "two"], "a later one overtook what waits for the turn's end");
  await turnsEnd();
  assert.deepEqual(ended, ["one", "two", "three", "four", "five"]);
});

test("what an ending adds is not lost", async () => {
  const { turn, ended, add } = watched();
  turn.add({ endTurn: () => add("more") });
  await tick();
  await turnsEnd();
  assert.deepEqual(ended, ["more"]);
});
