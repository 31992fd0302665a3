/** The node's log: order, rooms, what is kept and what is not. */
import assert from "node:assert/strict";
import test from "node:test";
import type { LoggedEvent } from "../../src/recovery/log-entry.js";
import { RoomLog } from "../../src/recovery/room-log.js";

const FOREVER = { retentionMs: Infinity, maxBytes: Infinity };

interface Given {
  readonly rooms?: readonly string[];
  readonly nsp?: string;
  readonly body?: Buffer;
  readonly streamId?: string;
  readonly atMs?: number;
}

function append(log: RoomLog, { rooms = ["a"], nsp = "/", body, streamId, atMs = 0 }: Given = {}): number {
  const event: Omit<LoggedEvent, "origin"> = {
    nsp,
    rooms,
    except: [],
    bin: false,
    argsBytes: undefined,
    body: body ?? Buffer.from("x"),
    streamId,
    unicast: false,
  };
  return log.append(event, (pos) => ({ tag: "aaaaaaaa", pos, wid: 1, seq: pos }), atMs).pos;
}

const positions = (log: RoomLog, room: string | undefined, after = 0, nsp = "/"): number[] =>
  [...log.behind(nsp, room, after)].map(({ pos }) => pos);

test("entries are found by their room, behind a position, in order", () => {
  const log = new RoomLog(FOREVER);
  append(log, { rooms: ["a"] });
  append(log, { rooms: ["b"] });
  append(log, { rooms: ["a", "b"] });
  append(log, { rooms: [] });
  append(log, { rooms: ["a"], nsp: "/other" });
  append(log, { rooms: ["a"] });
  assert.deepEqual(positions(log, "a"), [1, 3, 6]);
  assert.deepEqual(positions(log, "a", 1), [3, 6]);
  assert.deepEqual(positions(log, "a", 6), []);
  assert.deepEqual(positions(log, "b"), [2, 3]);
  assert.deepEqual(positions(log, undefined), [4]);
  assert.deepEqual(positions(log, "a", 0, "/other"), [5]);
  assert.deepEqual(positions(log, "nobody"), []);
  assert.deepEqual(positions(log, "a", 0, "/nowhere"), []);
  assert.equal(log.pos, 6);
});

test("a room named twice in one message has it once", () => {
  const log = new RoomLog(FOREVER);
  for (let i = 0; i < 3; i++) append(log, { rooms: ["a", "a"] });
  assert.deepEqual(positions(log, "a"), [1, 2, 3]);
});

test("a body is kept as it was, whatever becomes of the buffer it was cut from", () => {
  const log = new RoomLog(FOREVER);
  const chunk = Buffer.from("-hello-");
  const large = Buffer.alloc(100_000, "y");
  append(log, { body: chunk.subarray(1, 6) });
  append(log, { body: large });
  for (let i = 0; i < 5_000; i++) append(log, { rooms: ["b"], body: Buffer.from(`number ${i}`) });
  chunk.fill("!");
  large.fill("!");
  const [first, second] = [...log.behind("/", "a", 0)];
  assert.equal(first?.body.toString(), "hello");
  assert.ok(second?.body.equals(Buffer.alloc(100_000, "y")));
  assert.deepEqual(
    [...log.behind("/", "b", 0)].map(({ body }) => body.toString()),
    Array.from({ length: 5_000 }, (_, i) => `number ${i}`),
  );
});

test("what is older than the retention goes, from the oldest on", () => {
  const log = new RoomLog({ retentionMs: 100, maxBytes: Infinity });
  append(log, { atMs: 0 });
  append(log, { atMs: 50, rooms: ["b"] });
  append(log, { atMs: 100 });
  assert.deepEqual(positions(log, "a"), [1, 3]);
  log.trim(101);
  assert.equal(log.trimmedPos, 1);
  assert.deepEqual(positions(log, "a"), [3]);
  append(log, { atMs: 151 });
  assert.deepEqual(positions(log, "b"), []);
  assert.deepEqual(positions(log, "a"), [3, 4]);
  log.trim(1_000);
  assert.equal(log.entryCount, 0);
  assert.equal(log.trimmedPos, log.pos);
  assert.equal(log.bytes, 0);
  assert.equal(append(log), 5, "positions go on");
});

test("where the bytes are too many, the oldest go early", () => {
  const log = new RoomLog({ retentionMs: Infinity, maxBytes: 1_000_000 });
  for (let i = 0; i < 300; i++) append(log, { body: Buffer.alloc(10_000) });
  assert.ok(log.bytes <= 1_000_000, `${log.bytes}`);
  assert.ok(log.entryCount > 90 && log.entryCount < 100, `${log.entryCount}`);
  assert.deepEqual(positions(log, "a", 0)[0], log.trimmedPos + 1);
});

test("one message that is larger than all that may be kept is not kept, and takes no later one with it", () => {
  const log = new RoomLog({ retentionMs: Infinity, maxBytes: 50_000 });
  append(log, { body: Buffer.alloc(100_000) });
  assert.equal(log.trimmedPos, 1);
  append(log);
  assert.deepEqual(positions(log, "a"), [2]);
});

test("it knows how far the stream is held", () => {
  const log = new RoomLog({ retentionMs: 100, maxBytes: Infinity });
  assert.deepEqual([log.streamFloor, log.streamId], [undefined, undefined]);
  log.reached("10-0");
  assert.deepEqual([log.streamFloor, log.streamId], ["10-0", "10-0"]);
  append(log, { streamId: "11-0", atMs: 0 });
  append(log, { streamId: "12-0", atMs: 80 });
  log.reached("12-5");
  assert.deepEqual([log.streamFloor, log.streamId], ["10-0", "12-5"]);
  log.trim(150);
  assert.deepEqual([log.streamFloor, log.streamId], ["11-0", "12-5"]);
});

test("an own message gets the id under which the stream has shown it", () => {
  const log = new RoomLog(FOREVER);
  const pos = append(log);
  log.shown(pos, "5-0");
  log.shown(99, "6-0");
  assert.deepEqual(
    [...log.behind("/", "a", 0)].map(({ streamId }) => streamId),
    ["5-0"],
  );
  assert.equal(log.streamId, "6-0");
});

test("a room is found at once among 100,000 messages for others", () => {
  const log = new RoomLog(FOREVER);
  append(log);
  for (let i = 0; i < 100_000; i++) append(log, { rooms: [`other ${i % 1_000}`] });
  const last = append(log);
  const startMs = performance.now();
  for (let i = 0; i < 10_000; i++) assert.deepEqual(positions(log, "a", 1), [last]);
  const tookMs = performance.now() - startMs;
  // A scan of all of them would take minutes.
  assert.ok(tookMs < 2_000, `10,000 queries took ${Math.round(tookMs)} ms`);
});
