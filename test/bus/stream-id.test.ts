/** Ids of stream entries: compared as the numbers they are, not as text. */
import assert from "node:assert/strict";
import test from "node:test";
import { compareIds, FIRST_ID, idAt, timeOf } from "../../src/lib/stream-id.js";

test("ids are ordered by time, then by number, each up to 64 bits", () => {
  const ordered = [
    FIRST_ID,
    "0-1",
    "9-5",
    "9-10",
    "10-0",
    "1700000000000-2",
    "18446744073709551614-0",
    "18446744073709551615-18446744073709551614",
    "18446744073709551615-18446744073709551615",
  ];
  for (const [at, id] of ordered.entries()) {
    assert.equal(compareIds(id, id), 0);
    for (const later of ordered.slice(at + 1)) {
      assert.ok(compareIds(id, later) < 0, `${id} is before ${later}`);
      assert.ok(compareIds(later, id) > 0, `${later} is after ${id}`);
    }
  }
});

test("an id without a number is the first of its millisecond", () => {
  assert.equal(compareIds("5", "5-0"), 0);
});

test("a time becomes an id that Redis takes, and comes out of one", () => {
  assert.equal(idAt(1_700_000_000_000.9), "1700000000000-0");
  assert.equal(idAt(-5), FIRST_ID);
  assert.equal(timeOf("1700000000000-3"), 1_700_000_000_000);
});
