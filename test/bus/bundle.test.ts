/** Several messages in one entry of the stream: which may share one, and that each comes out as it went in. */
import assert from "node:assert/strict";
import test from "node:test";
import { bundledFrom, bundleOf, readBundle } from "../../src/bus/bundle.js";
import { streamEntry, type StreamEntry } from "../../src/bus/entry.js";

let n = 0;
const message = (text: string, more: { nsp?: string | undefined; type?: number; header?: string } = {}): StreamEntry =>
  streamEntry("uid", ++n, {
    type: 3,
    header: "{}",
    nsp: "/",
    payload: { bin: false, body: Buffer.from(text) },
    ...more,
  });

const read = (messages: Buffer): [number, string, string][] => {
  const found: [number, string, string][] = [];
  readBundle(messages, (type, header, data) => found.push([type, header.toString(), data.toString()]));
  return found;
};

test("each message comes out as it went in, whatever is in it", () => {
  const texts = ["{}", "", "é🐚", "3 1 1\n{", "\n\n", "\u2028", "x".repeat(4_096)];
  const entries = texts.map((text, i) => message(text, { type: i, header: i % 2 === 0 ? "{}" : '{"r":["é\\n"]}' }));
  const { nsp, messages, header } = bundleOf(entries);
  assert.equal(nsp, "/");
  assert.equal(header, `{"n":${entries.at(-1)?.n}}`);
  assert.deepEqual(
    read(Buffer.from(messages)),
    entries.map((entry) => [entry.type, entry.header, entry.data]),
  );
});

test("only small messages of one namespace share an entry, and not more than an entry should hold", () => {
  const small = message("{}");
  assert.equal(bundledFrom([small, message("{}"), message("{}", { nsp: "/other" })], 0), 2);
  assert.equal(bundledFrom([small, message("{}"), message("{}", { nsp: "/other" })], 2), 1);
  assert.equal(bundledFrom([small, message("x".repeat(4_097)), small], 0), 1);
  assert.equal(bundledFrom([message("x".repeat(4_097)), small], 0), 0);
  assert.equal(bundledFrom([small, message("{}", { nsp: undefined }), small], 0), 1);
  assert.equal(bundledFrom([message("{}", { nsp: undefined }), small], 0), 0);
  assert.equal(bundledFrom([], 0), 0);
  const large = Array.from({ length: 100 }, () => message("x".repeat(4_000)));
  assert.equal(bundledFrom(large, 0), 8);
  const many = Array.from({ length: 100 }, () => message("{}"));
  assert.equal(bundledFrom(many, 0), 64);
  assert.equal(bundledFrom(many, 64), 36);
});

test("what is no bundle is refused, behind those messages that could be read", () => {
  const good = "3 2 2\n{}{}";
  for (const bad of [
    "3",
    "3 2 2",
    "3 2\n",
    " 2 2\n",
    "3 2 2\n{}{",
    "3 x 2\n{}{}",
    "-3 2 2\n{}{}",
    `3 ${"9".repeat(400)} 2\n`,
  ]) {
    const found: number[] = [];
    assert.throws(() => readBundle(Buffer.from(good + bad), (type) => found.push(type)), /bundle/, bad);
    assert.deepEqual(found, [3], bad);
  }
});
