/** Claims: what a client says it has received. */
import assert from "node:assert/strict";
import test from "node:test";
import { encodeClaim, mergeClaims, parseClaim, received, tagOf, type Claim } from "../../src/recovery/claim.js";

const TAG = tagOf("8d1f3c1e-7b1a-4c2f-9d59-06f3a7f0c001");
const OTHER = tagOf("0a1b2c3d-0000-4000-8000-000000000000");
const claim = (more: Partial<Claim> = {}): Claim => ({
  tag: TAG,
  pos: 10,
  wid: 2,
  seq: 5,
  streamId: undefined,
  ...more,
});
const entry = (
  pos: number,
  [tag, originPos, wid, seq]: [string, number, number, number],
  streamId?: string,
): Parameters<typeof received>[0] => ({ pos, origin: { tag, pos: originPos, wid, seq }, streamId });

test("a claim comes back from its text as it was", () => {
  for (const each of [
    claim(),
    claim({ streamId: "1700000000000-12" }),
    claim({ pos: 0, wid: 0, seq: 0 }),
    claim({ pos: Number.MAX_SAFE_INTEGER }),
  ])
    assert.deepEqual(parseClaim(encodeClaim(each)), each);
  assert.ok(encodeClaim(claim({ pos: 1e9, seq: 1e6, wid: 40 })).length <= 24);
});

test("a text that is no claim is none", () => {
  const good = encodeClaim(claim({ streamId: "1700000000000-12" }));
  for (const text of [
    "",
    "x",
    "1700000000000-12",
    good.slice(1),
    `${good}.1`,
    good.replace("-12", ""),
    `${TAG}.-1.0.0`,
    `${TAG}.A.0.0`,
    `${TAG}.zzzzzzzzzzz.0.0`,
    `${TAG}.1.1`,
    `${TAG}.1.1.1.${"1".repeat(200)}-1`,
    "𝒳".repeat(20),
  ])
    assert.equal(parseClaim(text), undefined, text);
});

test("a client has received the log up to its worker's position, and what its worker published up to its number", () => {
  const own = (pos: number, wid: number, seq: number): boolean =>
    received(entry(pos, [TAG, pos, wid, seq]), claim(), TAG);
  assert.equal(own(10, 3, 99), true, "delivered");
  assert.equal(own(11, 3, 1), false, "another worker's, behind the position");
  assert.equal(own(11, 2, 5), true, "its own worker's, ahead of the log");
  assert.equal(own(11, 2, 6), false, "its own worker's, published later");
});

test("what a stock server published is covered by its place in the log or in the stream, and by nothing else", () => {
  const stock = { pos: 11, origin: undefined, streamId: "5-0" };
  assert.equal(received(stock, claim(), TAG), false);
  assert.equal(received(stock, claim({ pos: 11 }), TAG), true);
  assert.equal(received(stock, claim({ streamId: "5-0" }), TAG), true);
  assert.equal(received(stock, claim({ streamId: "4-9" }), TAG), false);
});

test("a claim made on another node covers that node's entries by their origin, others by the stream, and nothing by its position there", () => {
  const made = claim({ tag: OTHER, streamId: "7-0" });
  assert.equal(received(entry(3, [OTHER, 10, 9, 9]), made, TAG), true, "delivered there");
  assert.equal(received(entry(3, [OTHER, 11, 2, 5]), made, TAG), true, "published by its worker there");
  assert.equal(received(entry(3, [OTHER, 11, 2, 6], "8-0"), made, TAG), false);
  assert.equal(
    received(entry(3, [TAG, 3, 2, 1], "6-0"), made, TAG),
    true,
    "of this node, and seen there in the stream",
  );
  assert.equal(received(entry(3, [TAG, 3, 2, 1], "9-0"), made, TAG), false);
  assert.equal(received(entry(3, [TAG, 3, 2, 1]), made, TAG), false, "of this node, not in the stream yet");
});

test("two claims of a client cover together what each covers", () => {
  assert.deepEqual(mergeClaims(claim({ seq: 9 }), claim({ pos: 12, seq: 7 })), claim({ pos: 12, seq: 9 }));
  assert.deepEqual(mergeClaims(claim({ pos: 12, wid: 3, seq: 1 }), claim()), claim({ pos: 12, wid: 3, seq: 1 }));
  assert.deepEqual(
    mergeClaims(claim({ streamId: "5-0" }), claim({ pos: 11, streamId: "4-0" })),
    claim({ pos: 11, streamId: "5-0" }),
  );
  assert.deepEqual(mergeClaims(claim(), claim({ streamId: "4-0" })), claim({ streamId: "4-0" }));
  const [brought, before] = [claim({ wid: 1, seq: 3 }), claim({ wid: 2, seq: 9 })];
  assert.deepEqual(mergeClaims(brought, before), brought, "of two workers at one position, the one that came last");
});
