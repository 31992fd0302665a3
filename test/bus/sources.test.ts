/** What has been read from each source: duplicates, holes, and which of those a gap explains. */
import assert from "node:assert/strict";
import test from "node:test";
import { Sources } from "../../src/bus/sources.js";

test("entries in a row are new, the same number again is a duplicate, a hole is counted once", () => {
  const sources = new Sources();
  const results = [5, 6, 6, 5, 9, 10, 8].map((n) => sources.accept("a", n, 0));
  assert.deepEqual(results, [0, 0, -1, -1, 2, 0, -1]);
});

test("sources do not mix, and the first entry of each is no hole", () => {
  const sources = new Sources();
  assert.deepEqual([sources.accept("a", 100, 0), sources.accept("b", 7, 0), sources.accept("a", 101, 0)], [0, 0, 0]);
  assert.equal(sources.size, 2);
});

test("the next hole of each source after a gap is explained by that, if it is the next message; a duplicate is none", () => {
  const sources = new Sources();
  const accept = (uid: string, n: number): [missed: number, isExplained: boolean] => [
    sources.accept(uid, n, 0),
    sources.isExplained,
  ];
  for (const uid of ["a", "b"]) sources.accept(uid, 1, 0);
  assert.deepEqual(accept("a", 3), [1, false]);
  sources.explain();
  assert.equal(sources.accept("a", 3, 0), -1);
  assert.deepEqual(accept("a", 7), [3, true]);
  assert.deepEqual(accept("a", 9), [1, false]);
  assert.equal(sources.accept("b", 2, 0), 0);
  assert.deepEqual(accept("b", 9), [6, false]);
});

test("a source that has been silent for long is forgotten, one that spoke is kept", () => {
  const sources = new Sources();
  sources.accept("a", 1, 1_000);
  sources.accept("b", 1, 1_000);
  sources.accept("b", 2, 2_000);
  sources.forget(2_000);
  assert.equal(sources.size, 1);
  assert.equal(sources.accept("b", 2, 3_000), -1);
  assert.equal(sources.accept("a", 1, 3_000), 0);
});
