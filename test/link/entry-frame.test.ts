/** Entries on their way to the primary: as frames, and with their number in the end. */
import assert from "node:assert/strict";
import test from "node:test";
import { encodeEntryFrame, type Outgoing } from "../../src/link/entry-frame.js";
import { eventHeaderText, headerTextOf, numbered } from "../../src/link/entry-header.js";
import { encodeFrame, FrameReader } from "../../src/link/frame.js";

function read(bytes: Buffer): { header: unknown; body: string }[] {
  const frames: { header: unknown; body: string }[] = [];
  new FrameReader().push(bytes, (header, body) => void frames.push({ header, body: body.toString() }));
  return frames;
}

test("an entry comes back as it was, of text or of bytes, short or long, among other frames", () => {
  const entry = { nsp: "/ä🐚", type: 9, header: '{"o":1,"x":["ü"]}' };
  const long = "ö".repeat(40_000);
  const bytes = Buffer.concat([
    ...encodeEntryFrame({ ...entry, bin: false }, "päyload"),
    ...encodeFrame({ t: "publish" }),
    ...encodeEntryFrame({ ...entry, bin: true }, Buffer.from("bytes")),
    ...encodeEntryFrame({ ...entry, bin: true }, Buffer.from(long)),
    ...encodeEntryFrame({ ...entry, nsp: "", bin: false }, ""),
  ]);
  const outgoing = (bin: boolean, nsp = entry.nsp): Outgoing => ({ t: "entry", ...entry, nsp, bin });
  assert.deepEqual(read(bytes), [
    { header: outgoing(false), body: "päyload" },
    { header: { t: "publish" }, body: "" },
    { header: outgoing(true), body: "bytes" },
    { header: outgoing(true), body: long },
    { header: outgoing(false, ""), body: "" },
  ]);
});

test("a frame whose header is no entry's is refused", () => {
  const [frame] = encodeEntryFrame({ nsp: "/", type: 3, bin: false, header: "{}" }, "");
  assert.ok(frame !== undefined);
  const long = Buffer.from(frame);
  long.writeUInt32BE(1_000, 10);
  assert.throws(() => read(long), RangeError);
  const short = Buffer.from(frame);
  short.writeUInt32BE((0xc000_0000 | 5) >>> 0, 4);
  assert.throws(() => read(short), RangeError);
});

test("a header says what the publisher said, and gets its number in front", () => {
  const message = { rooms: ["a", "b"], to: "members", joins: ["c"], seq: 7, except: ["d"] } as const;
  assert.deepEqual(JSON.parse(numbered(headerTextOf(message), 5)), { n: 5, r: ["a", "b"], j: ["c"], x: ["d"] });
  assert.deepEqual(JSON.parse(numbered(headerTextOf(message, { pos: 9, wid: 2 }), 5)), {
    ...{ n: 5, r: ["a", "b"], j: ["c"], x: ["d"] },
    g: [9, 2, 7],
  });
  const request = headerTextOf({ rooms: [], to: "open" }, undefined, ["id", "/", 500]);
  assert.deepEqual(JSON.parse(numbered(request, 1)), { n: 1, o: 1, q: ["id", "/", 500] });
  assert.deepEqual(JSON.parse(numbered(headerTextOf({ rooms: [], to: "members" }), 12)), { n: 12 });
});

test("an event's header is the same, made the short way", () => {
  for (const rooms of [[], ['r"1', "ü"]])
    for (const except of [[], ["x"]])
      for (const flags of [{}, { volatile: true }]) {
        const event = { bytes: 12, except, flags };
        const expected = JSON.parse(headerTextOf({ rooms, to: "members", event })) as unknown;
        assert.deepEqual(JSON.parse(eventHeaderText({ rooms, except, flags }, 12, JSON.stringify(rooms))), expected);
      }
});
