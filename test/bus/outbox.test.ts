/** What waits for Redis: in order, bounded in bytes. */
import assert from "node:assert/strict";
import test from "node:test";
import type { StreamEntry } from "../../src/bus/entry.js";
import { Outbox } from "../../src/bus/outbox.js";

const entry = (n: number, data: string | Buffer): StreamEntry => ({
  uid: "uid",
  n,
  type: 3,
  header: "{}",
  nsp: "/",
  data,
});
const fill = (outbox: Outbox, count: number, bytes: number): void => {
  for (let n = 1; n <= count; n++) outbox.push(entry(n, Buffer.alloc(bytes)));
};
const numbers = (items: readonly { n: number }[]): number[] => items.map(({ n }) => n);

test("the oldest come first, in batches bounded in number and bytes, and stay until they are dropped", () => {
  const outbox = new Outbox(1_000_000);
  fill(outbox, 10, 1_000);
  assert.deepEqual(numbers(outbox.peek(3, 1e9)), [1, 2, 3]);
  assert.deepEqual(numbers(outbox.peek(100, 3_000)), [1, 2]);
  outbox.shift(2);
  assert.deepEqual(numbers(outbox.peek(3, 1e9)), [3, 4, 5]);
  assert.equal(outbox.length, 8);
  outbox.shift(8);
  assert.deepEqual([outbox.length, outbox.bytes, outbox.peek(3, 1e9)], [0, 0, []]);
});

test("an item larger than a batch travels alone", () => {
  const outbox = new Outbox(1_000_000);
  fill(outbox, 2, 5_000);
  assert.deepEqual(numbers(outbox.peek(10, 100)), [1]);
});

test("what is over the bound does not fit, until something has left", () => {
  const outbox = new Outbox(10_000);
  for (let n = 1; outbox.fits(1_000); n++) outbox.push(entry(n, Buffer.alloc(1_000)));
  assert.ok(outbox.bytes <= 10_000 && outbox.bytes > 8_000, `${outbox.bytes} bytes`);
  outbox.shift(1);
  assert.ok(outbox.fits(1_000));
  assert.ok(!outbox.fits(10_000));
});

test("bytes and order are right after many thousands have passed through", () => {
  const outbox = new Outbox(1e9);
  let pushed = 0;
  let seen = 0;
  for (let round = 0; round < 500; round++) {
    for (let i = 0; i < 20; i++) outbox.push(entry(++pushed, "x".repeat(i)));
    const batch = outbox.peek(17, 1e9);
    for (const { n } of batch) assert.equal(n, ++seen);
    outbox.shift(batch.length);
    assert.equal(outbox.length, pushed - seen);
  }
  const rest = outbox.peek(1e9, 1e9);
  const again = new Outbox(1e9);
  for (const one of rest) again.push(one);
  assert.equal(outbox.bytes, again.bytes);
  assert.deepEqual(
    numbers(rest),
    Array.from({ length: pushed - seen }, (_, i) => seen + i + 1),
  );
});
