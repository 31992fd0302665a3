/** Joins that are on their way: who counts as a member of what until it has settled, whichever of the two wires is the faster one. */
import assert from "node:assert/strict";
import test from "node:test";
import { PendingJoins } from "../../src/primary/pending-joins.js";

const members = (pending: PendingJoins<string>, nsp: string, ...rooms: string[]): string[] => {
  const found = new Set<string>();
  pending.addMembers(nsp, rooms, found);
  return [...found].sort();
};

test("who is told to join counts as a member of these rooms, of that namespace, until it has settled", () => {
  const pending = new PendingJoins<string>();
  assert.equal(pending.isEmpty, true);
  pending.add("a", 1, "/", ["x", "y"]);
  pending.add("b", 1, "/", ["y"]);
  pending.add("b", 2, "/n", ["x"]);
  assert.deepEqual(members(pending, "/", "x"), ["a"]);
  assert.deepEqual(members(pending, "/", "z", "y"), ["a", "b"]);
  assert.deepEqual(members(pending, "/n", "x"), ["b"]);
  assert.deepEqual(members(pending, "/n", "y"), []);
  assert.deepEqual(members(pending, "/"), []);
  assert.equal(pending.isEmpty, false);
  assert.deepEqual(pending.settle("a", 1), { nsp: "/", rooms: ["x", "y"] });
  assert.deepEqual(members(pending, "/", "x", "y"), ["b"]);
  assert.deepEqual(pending.settle("b", 2), { nsp: "/n", rooms: ["x"] });
  assert.deepEqual(pending.settle("b", 1), { nsp: "/", rooms: ["y"] });
  assert.equal(pending.isEmpty, true);
});

test("members are added to those that are found already", () => {
  const pending = new PendingJoins<string>();
  pending.add("a", 1, "/", ["x"]);
  const found = new Set(["z"]);
  pending.addMembers("/", ["x"], found);
  assert.deepEqual([...found], ["z", "a"]);
});

test("a number settles that message alone: of those before and after it, and of another peer's of the same number, nothing", () => {
  const pending = new PendingJoins<string>();
  for (const n of [4, 5, 6]) pending.add("a", n, "/", [`room ${n}`]);
  pending.add("b", 5, "/", ["room 5"]);
  assert.deepEqual(pending.settle("a", 5), { nsp: "/", rooms: ["room 5"] });
  assert.deepEqual(members(pending, "/", "room 5"), ["b"]);
  assert.deepEqual(members(pending, "/", "room 4"), ["a"]);
  assert.deepEqual(members(pending, "/", "room 6"), ["a"]);
});

test("two joins of one room are two: the second is on its way when the first has settled", () => {
  const pending = new PendingJoins<string>();
  for (const n of [1, 2]) pending.add("a", n, "/", ["x"]);
  pending.settle("a", 1);
  assert.deepEqual(members(pending, "/", "x"), ["a"]);
  pending.settle("a", 2);
  assert.deepEqual(members(pending, "/", "x"), []);
});

test("what has settled before it was known never counts, once", () => {
  const pending = new PendingJoins<string>();
  assert.equal(pending.settle("a", 1), undefined);
  assert.equal(pending.isEmpty, true, "it is not on its way");
  pending.add("b", 1, "/", ["x"]);
  pending.add("a", 2, "/", ["y"]);
  pending.add("a", 1, "/", ["x"]);
  assert.deepEqual(members(pending, "/", "x"), ["b"]);
  assert.deepEqual(members(pending, "/", "y"), ["a"]);
  pending.add("a", 1, "/", ["x"]);
  assert.deepEqual(members(pending, "/", "x"), ["a", "b"], "an early word is for one message");
});

test("many that settle early are known one by one, in whatever order they come", () => {
  const pending = new PendingJoins<string>();
  for (const n of [3, 1, 2]) assert.equal(pending.settle("a", n), undefined);
  for (const n of [1, 2, 3, 4]) pending.add("a", n, "/", ["x"]);
  assert.deepEqual(pending.settle("a", 4), { nsp: "/", rooms: ["x"] });
  assert.equal(pending.isEmpty, true);
});

test("who is forgotten is on its way nowhere, and what it settled early is forgotten with it", () => {
  const pending = new PendingJoins<string>();
  for (const peer of ["a", "b"]) {
    pending.add(peer, 1, "/", ["x"]);
    pending.settle(peer, 2);
  }
  pending.forget("a");
  pending.forget("c");
  assert.deepEqual(members(pending, "/", "x"), ["b"]);
  for (const peer of ["a", "b"]) pending.add(peer, 2, "/", ["y"]);
  assert.deepEqual(members(pending, "/", "y"), ["a"]);
});

test("numbers grow, and none is given twice", () => {
  const pending = new PendingJoins<string>();
  const numbers = Array.from({ length: 5 }, () => pending.next());
  assert.deepEqual(numbers, [1, 2, 3, 4, 5]);
});
