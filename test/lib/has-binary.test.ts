/** What counts as binary, in values of any size, depth and form. */
import assert from "node:assert/strict";
import test from "node:test";
import { hasBinary } from "../../src/lib/has-binary.js";

const BINARY: readonly unknown[] = [
  Buffer.alloc(1),
  new Uint8Array(0),
  new DataView(new ArrayBuffer(1)),
  new ArrayBuffer(0),
];
const PLAIN: readonly unknown[] = [null, undefined, 1, "text", true, {}, [], new Date(0), () => 1, Symbol("s")];

const nested = (depth: number, value: unknown): unknown => {
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [0, value] : { a: null, b: value };
  return value;
};

test("binary is found at any depth, and in values of any size", () => {
  for (const depth of [0, 1, 2, 30, 31, 32, 33, 34, 500]) {
    for (const value of BINARY) assert.equal(hasBinary(nested(depth, value)), true, `depth ${depth}`);
    for (const value of PLAIN) assert.equal(hasBinary(nested(depth, value)), false, `depth ${depth}`);
  }
  const many = Array.from({ length: 1_000 }, (_, n) => ({ n }));
  assert.equal(hasBinary(many), false);
  assert.equal(hasBinary([...many, Buffer.alloc(1)]), true);
  assert.equal(hasBinary([Buffer.alloc(1), ...many]), true);
});

test("what an object says of itself is what counts", () => {
  assert.equal(hasBinary({ toJSON: () => ({ bytes: Buffer.alloc(1) }) }), true);
  assert.equal(hasBinary({ bytes: Buffer.alloc(1), toJSON: () => "none" }), false);
  assert.equal(hasBinary(nested(40, { toJSON: () => [Buffer.alloc(1)] })), true);
});

test("a value that holds itself, in however many ways, is walked once", () => {
  const node: Record<string, unknown> = {};
  for (let n = 0; n < 50; n++) node[`to ${n}`] = { back: node, list: [node, node] };
  assert.equal(hasBinary(node), false);
  node["last"] = Buffer.alloc(1);
  assert.equal(hasBinary(node), true);
  const shared = Array.from({ length: 60 }).reduce((inner: unknown) => [inner, inner, inner], "leaf");
  assert.equal(hasBinary(shared), false);
});

test("the answer of toJSON is not asked again, as JSON.stringify does not", () => {
  const endless = (): object => ({ toJSON: endless });
  assert.equal(hasBinary(endless()), false);
  assert.equal(hasBinary({ toJSON: () => ({ bytes: Buffer.alloc(1), toJSON: () => "none" }) }), true);
});
