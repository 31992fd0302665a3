/**
 * The table of masks against a Map that is kept beside: a reader never lacks a bit, hardly sees one too many, follows the table as it grows, and in another
 * process misses nothing that stays while others come and go.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileOf, HEAD_BYTES, REST, usable } from "../../src/lib/mask-format.js";
import type { MaskReader } from "../../src/lib/mask-reader.js";
import type { Mask } from "../../src/lib/mask-table.js";
import { startProgram } from "../support/children.js";
import { within } from "../support/wait.js";
import type { ReaderOptions, ReaderReport } from "./mask-readers.js";
import { chance, crowd, find, FIRST_KEYS, halfTwins, isWithin, KEY, maskOf, NOTHING, tables } from "./mask-tables.js";

type Model = ReadonlyMap<string, Mask>;

const names = (count: number, prefix = "room"): string[] => Array.from({ length: count }, (_, n) => `${prefix} ${n}`);

/** @returns how many of these show more bits than they have */
function check(reader: MaskReader, model: Model, keys: readonly string[]): number {
  let more = 0;
  for (const key of keys) {
    const mask = model.get(key) ?? NOTHING;
    const found = find(reader, key);
    assert.ok(isWithin(mask, found), `${key} lacks bits: has ${JSON.stringify(mask)}, shows ${JSON.stringify(found)}`);
    if (!isWithin(found, mask)) more++;
  }
  return more;
}

/** Of a thousand keys, `mostTooMany` may show another's bits. */
const UNIVERSES = [
  { name: "few keys", keys: names(40), steps: 4_000, mostTooMany: 0 },
  { name: "many keys", keys: names(6_000), steps: 24_000, mostTooMany: 10 },
  { name: "keys of one bucket", keys: crowd(12), steps: 6_000, mostTooMany: 1_000 },
];

for (const { name, keys, steps, mostTooMany } of UNIVERSES)
  test(`whatever is set and cleared, no bit is lacking, and hardly one is too many: ${name}`, (t) => {
    const { table, open } = tables(t);
    const reader = open();
    const random = chance(steps);
    const upTo = (count: number): number => Math.floor(random() * count);
    const model = new Map<string, Mask>();
    for (let step = 1; step <= steps; step++) {
      const key = keys[upTo(keys.length)] ?? "";
      // So that the table fills for a while, and empties.
      const isTaken = random() < (step % 4_000 < 2_500 ? 0.25 : 0.75);
      const mask = isTaken ? NOTHING : maskOf(...Array.from({ length: 1 + upTo(3) }, () => upTo(64)));
      table.set(key, mask);
      if (isTaken) model.delete(key);
      else model.set(key, mask);
      check(reader, model, [key]);
      if (step % 500 === 0) {
        const bit = upTo(64);
        table.clear(bit);
        for (const [other, { low, high }] of model) {
          const gone = maskOf(bit);
          const left = { low: low & ~gone.low, high: high & ~gone.high };
          if (isWithin(left, NOTHING)) model.delete(other);
          else model.set(other, left);
          assert.ok(isWithin(find(reader, other), { low: ~gone.low, high: ~gone.high }), `${other} has bit ${bit}`);
        }
      }
      assert.equal(table.size, model.size);
      if (step % (steps / 10) !== 0) continue;
      const more = check(reader, model, keys);
      assert.ok(more <= (keys.length * mostTooMany) / 1_000, `${more} of ${keys.length} show more than they have`);
    }
    for (const key of keys) table.set(key, NOTHING);
    assert.equal(table.size, 0);
    assert.equal(check(reader, new Map(), keys), 0, "an empty table shows nothing");
  });

test("at the fullest fewer than 1 % of the keys show another's bits, and of those that were never set next to none", (t) => {
  for (const count of [FIRST_KEYS, 16 * FIRST_KEYS]) {
    const { table, open, file } = tables(t);
    const reader = open();
    const model = new Map(names(count).map((key, n) => [key, maskOf(n % 64)]));
    for (const [key, mask] of model) table.set(key, mask);
    const files = readdirSync(path.dirname(file)).length;
    const more = check(reader, model, [...model.keys()]);
    assert.ok(more < count / 100, `${more} of ${count} show more than they have`);
    const absent = check(reader, model, names(10_000, "absent"));
    assert.ok(absent < 50, `${absent} of 10,000 that were never set show something`);
    table.set("one more", maskOf(1));
    assert.equal(readdirSync(path.dirname(file)).length, files + 1, "it was not as full as it may be");
  }
});

test("a reader opened at the start and one opened later follow the table over generations, whenever they look", (t) => {
  const { table, open, file } = tables(t);
  const [asleep, awake] = [open(), open()];
  const model = new Map<string, Mask>();
  const keys = names(9 * FIRST_KEYS);
  for (const [n, key] of keys.entries()) {
    model.set(key, maskOf(n % 64, (n * 7) % 64));
    table.set(key, model.get(key) ?? NOTHING);
    check(awake, model, [key, keys[n >> 1] ?? ""]);
  }
  for (const reader of [asleep, open(), awake]) check(reader, model, keys);
  const generations = readdirSync(path.dirname(file)).length;
  assert.equal(generations, 5);
  for (let n = 0; n < generations - 1; n++) assert.equal(statSync(fileOf(file, n)).size, HEAD_BYTES);
  assert.ok(statSync(fileOf(file, generations - 1)).size > HEAD_BYTES);
});

test("what stands in the head is there before and after it has grown, for whoever opened it when", (t) => {
  const { table, open } = tables(t);
  const early = open();
  table.setHead(0, 7);
  table.setHead(63, 0xffff_ffff);
  const heads = (reader: MaskReader): number[] => [0, 1, 63].map((at) => reader.head(at));
  assert.deepEqual(heads(early), [7, 0, 0xffff_ffff]);
  const asleep = open();
  for (const key of names(5 * FIRST_KEYS)) table.set(key, maskOf(3));
  assert.deepEqual(heads(early), [7, 0, 0xffff_ffff]);
  table.setHead(1, 8);
  table.setHead(63, 9);
  for (const reader of [early, asleep, open()]) assert.deepEqual(heads(reader), [7, 8, 9]);
  assert.deepEqual(find(early, "room 1"), maskOf(3), "the head is none of the keys' places");
});

test("the lowest and the highest bits of both halves are kept, and cleared one by one", (t) => {
  const { table, open } = tables(t);
  const reader = open();
  const bits = [0, 31, 32, 63];
  for (const bit of bits) table.set(`only ${bit}`, maskOf(bit));
  table.set("all", maskOf(...bits));
  for (const bit of bits) assert.deepEqual(find(reader, `only ${bit}`), maskOf(bit));
  assert.deepEqual(find(reader, "all"), maskOf(...bits));
  for (const [n, bit] of bits.entries()) {
    table.clear(bit);
    assert.deepEqual(find(reader, `only ${bit}`), NOTHING);
    assert.deepEqual(find(reader, "all"), maskOf(...bits.slice(n + 1)));
    assert.equal(table.size, [4, 3, 2, 0][n]);
  }
});

test("a bit is cleared everywhere, of the keys that found no place too", (t) => {
  const { table, open } = tables(t);
  const reader = open();
  const keys = crowd(9);
  for (const [n, key] of keys.entries()) table.set(key, n % 2 === 0 ? maskOf(40) : maskOf(40, n));
  assert.equal(table.size, 9);
  table.clear(40);
  assert.equal(table.size, 4);
  for (const [n, key] of keys.entries()) {
    const found = find(reader, key);
    assert.equal(found.high, 0);
    if (n % 2 !== 0) assert.ok(isWithin(maskOf(n), found));
  }
  for (const n of [1, 3, 5, 7]) table.clear(n);
  assert.equal(table.size, 0);
  for (const key of [...keys, ...crowd(20)]) assert.deepEqual(find(reader, key), NOTHING);
  for (const key of keys.slice(0, 4)) table.set(key, maskOf(2));
  for (const key of keys.slice(4)) assert.deepEqual(find(reader, key), NOTHING, "four have places of their own again");
});

test("the place of a key without bits is free for another, and so is that of many once they are gone", (t) => {
  const { table, open } = tables(t);
  const reader = open();
  const [a = "", b = "", c = "", d = "", e = "", f = "", stranger = ""] = crowd(7);
  const exact = (keys: readonly string[]): void => {
    for (const [n, key] of keys.entries()) table.set(key, maskOf(n));
    assert.equal(table.size, keys.length);
    for (const [n, key] of keys.entries()) assert.deepEqual(find(reader, key), maskOf(n));
    assert.deepEqual(find(reader, stranger), NOTHING, "nobody is in the place of many");
  };
  exact([a, b, c, d]);
  for (const taken of [b, d]) table.set(taken, NOTHING);
  assert.deepEqual([find(reader, b), find(reader, d)], [NOTHING, NOTHING]);
  exact([a, e, c, f]);
  table.set(b, maskOf(50));
  table.set(d, maskOf(51));
  assert.equal(table.size, 6);
  assert.ok(isWithin(maskOf(50), find(reader, b)) && isWithin(maskOf(51), find(reader, d)));
  for (const taken of [b, d, f]) table.set(taken, NOTHING);
  exact([a, e, c, d]);
});

test("two keys of whose hash one half is the same are told apart", (t) => {
  const { table, open } = tables(t);
  const reader = open();
  const [one, other] = halfTwins();
  table.set(one, maskOf(1));
  assert.deepEqual(find(reader, other), NOTHING);
  table.set(other, maskOf(2));
  assert.deepEqual([find(reader, one), find(reader, other)], [maskOf(1), maskOf(2)]);
  table.set(one, NOTHING);
  assert.deepEqual([find(reader, one), find(reader, other)], [NOTHING, maskOf(2)]);
});

test("what is set to nothing and was never there leaves no trace", (t) => {
  const { table, open } = tables(t);
  const reader = open();
  for (const key of crowd(6)) table.set(key, NOTHING);
  assert.equal(table.size, 0);
  assert.notEqual(usable(REST), REST, "no key looks like the place of many");
  assert.deepEqual(find(reader, crowd(1)[0] ?? ""), NOTHING);
});

test("another process never misses a key that stays, while others come and go and the table grows", async (t) => {
  const { table, file } = tables(t);
  const random = chance(3);
  const crowded = crowd(40);
  const permanent = [...crowded.slice(0, 8), ...names(200, "permanent")];
  const passing = crowded.slice(8);
  // Bit 63 is cleared everywhere, again and again.
  const bits = permanent.map((_, n) => [n % 63, (n * 11) % 63]);
  for (const [n, key] of permanent.entries()) table.set(key, maskOf(...(bits[n] ?? [])));
  table.setHead(5, 55);
  const options: ReaderOptions = { file, key: KEY, keys: permanent, bits, head: { at: 5, value: 55 } };
  const program = startProgram(t, path.join(import.meta.dirname, "mask-readers.ts"), options);
  let last: ReaderReport = { looks: 0, missed: [] };
  program.on("message", (report: ReaderReport) => void (last = report));
  await within(once(program, "message"), 30_000, "the reader to begin");
  const someMask = (bit: number): Mask => (random() < 0.5 ? NOTHING : maskOf(bit));
  for (const size of [400, 1_000, 2_000, 4_000, 8_000]) {
    const until = last.looks + 100_000;
    let isFilled = false;
    let rounds = 0;
    while ((last.looks < until || !isFilled) && last.missed.length === 0 && program.exitCode === null) {
      assert.ok(rounds++ < 20_000, `the reader stands at ${last.looks} looks, the table at ${table.size} keys`);
      for (let n = 0; n < 100; n++) {
        table.set(passing[n % passing.length] ?? "", someMask(n % 64));
        for (let m = 0; m < 3; m++)
          table.set(`filling ${Math.floor(random() * 2 * size)}`, isFilled ? someMask(63) : maskOf(63));
      }
      isFilled ||= table.size >= size;
      if (isFilled && random() < 0.1) table.clear(63);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(last.missed, []);
    assert.equal(program.exitCode, null);
  }
  assert.equal(readdirSync(path.dirname(file)).length, 5, "it has grown meanwhile");
});
