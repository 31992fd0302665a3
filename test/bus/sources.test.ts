/** What has been read from each source: duplicates, holes, and what is forgiven. */
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

test("the next hole of each source is forgiven once, duplicates are not", () => {
  const sources = new Sources();
  for (const uid of ["a", "b"]) sources.accept(uid, 1, 0);
  sources.forgive();
  assert.equal(sources.accept("a", 1, 0), -1);
  assert.equal(sources.accept("a", 5, 0), 0);
  assert.equal(sources.accept("a", 7, 0), 1);
  assert.equal(sources.accept("b", 2, 0), 0);
  assert.equal(sources.accept("b", 9, 0), 6);
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
