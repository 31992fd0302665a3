/** The hash against the reference's vectors: key 00 to 07, and 2n bytes 00, 01, 02 … */
import assert from "node:assert/strict";
import test from "node:test";
import { digest, hash, type HashKey } from "../../src/lib/half-siphash.js";

const KEY: HashKey = [0x03020100, 0x07060504];
const VECTORS = ["218d1f59b9b83cc8", "064f39ef7c50eb57", "d5e78a175be52ea1", "ce3e91358aa2bc25"];

const text = (bytes: number): string => Buffer.from(Array.from({ length: bytes }, (_, n) => n)).toString("utf16le");
const hashed = (value: string, key = KEY): string => {
  hash(value, key);
  const bytes = Buffer.alloc(8);
  bytes.writeInt32LE(digest[0] ?? 0, 0);
  bytes.writeInt32LE(digest[1] ?? 0, 4);
  return bytes.toString("hex");
};

test("is HalfSipHash-2-4 with 64 bits", () => {
  for (const n of [0, 1, 2, 3]) assert.equal(hashed(text(2 * n)), VECTORS[n]);
});

test("another key gives another hash", () => {
  assert.notEqual(hashed("room", [1, 2]), hashed("room", [1, 3]));
  assert.notEqual(hashed("room", [1, 2]), hashed("room", [2, 2]));
});
