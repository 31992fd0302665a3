import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { encodeFrame, FrameReader } from "../../src/link/frame.js";

test("frames come out as they went in, however the stream is cut", () => {
  const frames = [
    { header: { t: "a", text: "é✓🐚" }, body: Buffer.alloc(0) },
    { header: { t: "b" }, body: randomBytes(10_000) },
    { header: { t: "c", list: [1, 2, 3] }, body: randomBytes(100) },
  ];
  const stream = Buffer.concat(frames.flatMap(({ header, body }) => encodeFrame(header, body)));
  for (const step of [1, 2, 3, 7, 64, 4096, stream.length]) {
    const reader = new FrameReader();
    const got: { header: unknown; body: Buffer }[] = [];
    for (let at = 0; at < stream.length; at += step) {
      reader.push(stream.subarray(at, at + step), (header, body) => got.push({ header, body: Buffer.from(body) }));
    }
    assert.deepEqual(got, frames, `in steps of ${step}`);
  }
});

test("a body of text is the same frame as its bytes", () => {
  for (const text of ["", "é✓🐚", "x".repeat(100_000), "\ud800 half a pair"]) {
    const header = { t: "ü", lone: "\udc00" };
    assert.deepEqual(Buffer.concat(encodeFrame(header, text)), Buffer.concat(encodeFrame(header, Buffer.from(text))));
  }
});

test("bytes that are no frame are refused at once", () => {
  assert.throws(
    () => new FrameReader().push(Buffer.from("GET / HTTP/1.1\r\n\r\n"), () => assert.fail("no frame")),
    RangeError,
  );
  const bad = encodeFrame({ t: "x" });
  bad[0]?.write("{{", 8);
  assert.throws(() => new FrameReader().push(Buffer.concat(bad), () => assert.fail("no frame")), SyntaxError);
});
