/** An inlet finds the frames of each writer, however its bytes are cut and whoever ends in the middle of one. */
import assert from "node:assert/strict";
import test from "node:test";
import { Inlet } from "../../src/link/inlet.js";
import { waitFor } from "../support/wait.js";
import { chunk, collector, frame, numbers, upTo } from "./chunks.js";

test("an inlet that gets its bytes cut anywhere finds the same frames", () => {
  const streams = [7, 9].map((wid) => Buffer.concat(upTo(4).flatMap((n) => frame(wid, n, 15))));
  const [seven = Buffer.alloc(0), nine = Buffer.alloc(0)] = streams;
  const cuts = [0, 3, 30, 31, 100, seven.length];
  // Chunks of two, in turns, that end in the middle of frames; one is empty.
  const chunks = cuts.flatMap((at, n) => {
    const parts = [seven, nine].map((stream) => stream.subarray(at, cuts[n + 1] ?? at));
    return parts.map((part, which) => chunk(7 + 2 * which, part));
  });
  const all = Buffer.concat(chunks);
  const whole = collector();
  whole.inlet.push(all);
  for (const wid of [7, 9]) assert.deepEqual(numbers(whole.got, wid), upTo(4));
  assert.equal(whole.got.length, 8);
  for (let at = 0; at <= all.length; at++) {
    const { got, inlet } = collector();
    for (const part of [all.subarray(0, at), all.subarray(at)]) inlet.push(Buffer.from(part));
    assert.deepEqual(got, whole.got, `cut at ${at}`);
  }
  for (const step of [1, 2, 7]) {
    const { got, inlet } = collector();
    for (let at = 0; at < all.length; at += step) inlet.push(Buffer.from(all.subarray(at, at + step)));
    assert.deepEqual(got, whole.got, `in steps of ${step}`);
  }
});

test("half a frame of a worker that has ended is forgotten, and nobody else's", () => {
  const { got, inlet } = collector();
  const [seven, nine] = [7, 9].map((wid) => Buffer.concat(frame(wid, 0))) as [Buffer, Buffer];
  inlet.push(Buffer.concat([chunk(7, seven.subarray(0, 20)), chunk(9, nine.subarray(0, 20))]));
  inlet.forget(7);
  inlet.push(Buffer.concat([chunk(9, nine.subarray(20)), chunk(7, seven)]));
  inlet.forget(8);
  assert.deepEqual(
    got.map(({ wid, bytes }) => [wid, bytes]),
    [
      [9, 10],
      [7, 10],
    ],
  );
});

test("an error of the handler costs the frames behind it nothing, and surfaces as an uncaught one", async (t) => {
  const got: number[] = [];
  const inlet = new Inlet((header) => {
    const { n } = header as { n: number };
    got.push(n);
    if (n === 2) throw new Error("the handler's");
  });
  const uncaught: Error[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => void uncaught.push(error));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  const stream = Buffer.concat(upTo(5).flatMap((n) => frame(7, n)));
  inlet.push(Buffer.concat([chunk(7, stream.subarray(0, stream.length - 5)), chunk(7, stream.subarray(-5))]));
  assert.deepEqual(got, upTo(5));
  await waitFor(() => uncaught.length > 0);
  assert.deepEqual(
    uncaught.map(({ message }) => message),
    ["the handler's"],
  );
});

test("bytes that are no frames are an error of whoever pushes them", () => {
  const { inlet } = collector();
  assert.throws(() => inlet.push(chunk(7, Buffer.from("GET / HTTP/1.1\r\n\r\n"))), RangeError);
});
