import assert from "node:assert/strict";
import test from "node:test";
import { createSid, MAX_NODES, MAX_SLOTS, nodePrefix, parseSid, sidPrefix } from "../../src/routing/address.js";

test("a sid of every node and slot names its owner", () => {
  for (let node = 0; node < MAX_NODES; node += 61) {
    for (let slot = 0; slot < MAX_SLOTS; slot++) {
      const sid = createSid(sidPrefix({ node, slot }));
      assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
      assert.deepEqual(parseSid(sid), { node, slot });
      assert.ok(sid.startsWith(nodePrefix(node)));
    }
  }
});

test("no two prefixes are alike", () => {
  const prefixes = new Set<string>();
  for (let node = 0; node < MAX_NODES; node++) for (const slot of [0, 1, 63]) prefixes.add(sidPrefix({ node, slot }));
  assert.equal(prefixes.size, MAX_NODES * 3);
});

test("the random part differs from sid to sid and uses the whole alphabet", () => {
  const seen = new Set<string>();
  const chars = new Set<string>();
  for (let i = 0; i < 5_000; i++) {
    const sid = createSid("AAA");
    seen.add(sid);
    for (const char of sid.slice(3)) chars.add(char);
  }
  assert.equal(seen.size, 5_000);
  assert.equal(chars.size, 64);
});

test("what has not a sid's form has no owner", () => {
  for (const text of [
    "",
    "AAA",
    "A".repeat(19),
    "A".repeat(21),
    `${"A".repeat(19)}%`,
    `${"A".repeat(19)}\n`,
    "é".repeat(20),
  ]) {
    assert.equal(parseSid(text), undefined, JSON.stringify(text));
  }
});

test("an address out of range is refused", () => {
  assert.throws(() => nodePrefix(4096), RangeError);
  assert.throws(() => nodePrefix(-1), RangeError);
  assert.throws(() => sidPrefix({ node: 0, slot: 64 }), RangeError);
  assert.throws(() => sidPrefix({ node: 0.5, slot: 0 }), RangeError);
});
