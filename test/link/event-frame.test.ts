/** Frames of plain events: what went in comes out, and what they cannot hold is left to frames with a JSON header. */
import assert from "node:assert/strict";
import test from "node:test";
import { deliveredFrame, encodeEventFrame } from "../../src/link/event-frame.js";
import { encodeDeliveredEvent, encodePublishedEvent, FrameReader } from "../../src/link/frame.js";
import { EVENT_ARGS_AT, encodeEvent, holdsEvent } from "../../src/link/payload.js";

type Seen = { header: unknown; body: Buffer; frame: Buffer | undefined };

function read(stream: Buffer, step = stream.length): Seen[] {
  const reader = new FrameReader();
  const seen: Seen[] = [];
  for (let at = 0; at < stream.length; at += step)
    reader.push(Buffer.from(stream.subarray(at, at + step)), (header, body, frame) =>
      seen.push({ header, body, frame }),
    );
  return seen;
}

function only(stream: Buffer): Seen {
  const [seen, ...more] = read(stream);
  assert.ok(seen !== undefined && more.length === 0);
  return seen;
}

const EVENTS = [
  { nsp: "/", args: '["m",1]', rooms: ["r1"], except: [], flags: {} },
  { nsp: "/chat", args: '["m"]', rooms: [], except: [], flags: {} },
  {
    nsp: "/größe🐚",
    args: '["ü","🐚"]',
    rooms: ["", "é", "\u0000", "🐚🐚"],
    except: ["nicht\u0000du"],
    flags: { volatile: true },
  },
  { nsp: "/a", args: '["m"]', rooms: ["r".repeat(3_000)], except: ["e"], flags: { compress: false, volatile: true } },
  { nsp: "/a", args: JSON.stringify(["m", "x".repeat(15_000)]), rooms: ["a", "b", "c"], except: [], flags: {} },
  { nsp: "/pair", args: '["m"]', rooms: ["\ud83d", "\udc1a"], except: [], flags: {} },
];

test("an event is published and delivered as it was, however the stream is cut", () => {
  for (const { nsp, args, ...target } of EVENTS) {
    const { rooms, except, flags } = target;
    const frame = encodeEventFrame(nsp, args, target, undefined);
    assert.ok(frame !== undefined, nsp);
    const bytes = Buffer.byteLength(args);
    const body = encodeEvent(args, nsp, target);
    const published = only(frame);
    assert.deepEqual(published.header, {
      t: "publish",
      nsp,
      type: 3,
      rooms,
      to: "members",
      bin: false,
      event: { bytes, except, flags },
    });
    assert.equal(published.body.toString(), body);
    assert.equal(published.body.toString("utf8", EVENT_ARGS_AT, EVENT_ARGS_AT + bytes), args);
    assert.ok(published.frame?.equals(frame));
    const delivered = deliveredFrame(frame, 7, undefined);
    for (const step of [1, 5, 64, delivered.length]) {
      const [seen] = read(delivered, step);
      const event = { bytes, except, flags, rooms };
      assert.deepEqual(seen?.header, { t: "deliver", from: 7, nsp, type: 3, bin: false, event });
      assert.equal(seen?.body.toString(), body);
    }
    assert.ok(
      frame.equals(encodeEventFrame(nsp, args, target, undefined) ?? Buffer.alloc(0)),
      "the original was changed",
    );
  }
});

test("a publication keeps its number, a delivery its position, large ones too", () => {
  for (const number of [0, 1, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
    const frame = encodeEventFrame("/", '["m"]', { rooms: ["r"], except: [], flags: {} }, number);
    assert.ok(frame !== undefined);
    assert.equal((only(frame).header as { seq?: number }).seq, number);
    assert.equal((only(deliveredFrame(frame, 1, number)).header as { pos?: number }).pos, number);
    assert.equal("pos" in (only(deliveredFrame(frame, 1, undefined)).header as object), false);
  }
});

test("what such a frame cannot hold is left to others", () => {
  const none = { except: [], flags: {} };
  const isLeft = (args: string, rooms: readonly string[]): boolean => {
    const published = only(Buffer.concat(encodePublishedEvent("/", args, { rooms, ...none }, 5)));
    const event = { bytes: Buffer.byteLength(args), ...none };
    const header = { t: "publish", nsp: "/", type: 3, rooms, to: "members", bin: false, event, seq: 5 };
    assert.deepEqual(published.header, header);
    return encodeEventFrame("/", args, { rooms, ...none }, 5) === undefined && published.frame === undefined;
  };
  assert.ok(isLeft('["m"]', [5 as unknown as string]), "a room that is a number");
  assert.ok(isLeft('["m"]', ["\ud83d half a pair"]), "a room that UTF-8 does not keep");
  assert.ok(isLeft(JSON.stringify(["m", "x".repeat(30_000)]), ["r"]), "a long event");
  assert.ok(isLeft('["m"]', Array.from({ length: 10_000 }, String)), "many rooms");
});

/** As much of a body as a worker reads that gets it past the primary. */
const readPart = (body: Buffer, args: string): Buffer => body.subarray(0, EVENT_ARGS_AT + Buffer.byteLength(args));

test("an event that passes the primary by says what the primary would have made of it, but what nobody reads", () => {
  for (const { nsp, args, ...target } of EVENTS)
    for (const from of [1, 7, 2 ** 32 - 1]) {
      const published = encodeEventFrame(nsp, args, target, undefined);
      assert.ok(published !== undefined, nsp);
      const byPrimary = only(deliveredFrame(published, from, undefined));
      const past = only(Buffer.concat(encodeDeliveredEvent(nsp, args, target, from)));
      assert.deepEqual(past.header, byPrimary.header);
      assert.equal((past.header as { from?: number }).from, from);
      assert.ok(past.body.equals(readPart(byPrimary.body, args)), nsp);
      assert.ok(holdsEvent(past.body, Buffer.byteLength(args)));
      assert.ok(past.frame !== undefined, "its header is no JSON");
    }
});

test("one that such a frame cannot hold is delivered all the same, with its rooms", () => {
  const long = JSON.stringify(["m", "x".repeat(70_000)]);
  const most = { except: ["e", "\ud83d"], flags: { volatile: true } };
  const none = { except: [], flags: {} };
  for (const { args, ...target } of [
    { args: '["m"]', rooms: [5 as unknown as string, "r"], ...most },
    { args: '["ü🐚"]', rooms: ["\ud83d half a pair"], ...none },
    { args: long, rooms: ["r"], ...most },
    { args: long, rooms: [], ...none },
    { args: '["m"]', rooms: Array.from({ length: 10_000 }, String), ...none },
  ]) {
    const { header, body, frame } = only(Buffer.concat(encodeDeliveredEvent("/größe", args, target, 7)));
    const event = { bytes: Buffer.byteLength(args), ...target };
    assert.deepEqual(header, { t: "deliver", from: 7, nsp: "/größe", type: 3, bin: false, event });
    assert.ok(body.equals(readPart(Buffer.from(encodeEvent(args, "/größe", target)), args)));
    assert.ok(holdsEvent(body, event.bytes));
    assert.equal(frame, undefined);
  }
});

test("a header that is none is refused", () => {
  const frame = encodeEventFrame("/", '["m"]', { rooms: ["r"], except: [], flags: {} }, undefined);
  assert.ok(frame !== undefined);
  for (const [at, value] of [
    [24, 1_000],
    [28, 5],
    [32, 1_000_000],
    [36, 2],
  ] as const) {
    const bad = Buffer.from(frame);
    bad.writeUInt32BE(value, at);
    assert.throws(() => read(bad), RangeError, `at ${at}`);
  }
  const short = Buffer.from(frame);
  short.writeUInt32BE(0x4000_0002, 4);
  assert.throws(() => read(short), RangeError);
});
