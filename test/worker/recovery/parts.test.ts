/** The parts of a worker's recovery that need no server. */
import assert from "node:assert/strict";
import test from "node:test";
import { Encoder, PacketType, type Packet } from "socket.io-parser";
import { encodeEvent, encodePayload } from "../../../src/link/payload.js";
import type { RestoredSession } from "../../../src/link/recovery-messages.js";
import { parseClaim } from "../../../src/recovery/claim.js";
import { Arrival } from "../../../src/worker/recovery/arrival.js";
import { ChangeReport } from "../../../src/worker/recovery/change-report.js";
import { ClaimClock } from "../../../src/worker/recovery/claim-clock.js";
import { withClaim } from "../../../src/worker/recovery/event-content.js";
import { offsetParser } from "../../../src/worker/recovery/offset-parser.js";
import { isFor, OwnPublications } from "../../../src/worker/recovery/own-publications.js";
import { fromBytes, toBytes, TooLargeError } from "../../../src/worker/recovery/session-data.js";

const TAG = "abcdefgh";

test("a worker's claim moves forward only: in the log, in the stream, and by its own publications", () => {
  const clock = new ClaimClock(TAG, 7);
  assert.equal(clock.text, "abcdefgh.0.7.0");
  assert.equal(clock.count(), 1);
  clock.advance(40, undefined);
  assert.equal(clock.text, "abcdefgh.14.7.1");
  clock.advance(39, "5-1");
  clock.advance(12, "5-0");
  assert.deepEqual(clock.claim, { tag: TAG, pos: 40, wid: 7, seq: 1, streamId: "5-1" });
  assert.deepEqual(parseClaim(clock.text), clock.claim);
});

test("a claim stands last among an event's arguments, whatever these are", () => {
  for (const args of [["e"], ["e", 1, "text"], ["e", { a: ["]"] }, null]]) {
    assert.deepEqual(JSON.parse(withClaim(JSON.stringify(args), "abcdefgh.0.7.0")), [...args, "abcdefgh.0.7.0"]);
  }
});

test("a client with a pid and without an offset is given the empty one; nobody else is", () => {
  const decode = (data: unknown, type = PacketType.CONNECT): unknown => {
    const decoder = new offsetParser.Decoder();
    let seen: unknown;
    decoder.on("decoded", (packet: Packet) => (seen = packet.data));
    for (const part of new Encoder().encode({ type, nsp: "/", data: data as never })) decoder.add(part);
    return seen;
  };
  assert.deepEqual(decode({ pid: "p", token: 1 }), { pid: "p", token: 1, offset: "" });
  assert.deepEqual(decode({ pid: "p", offset: null }), { pid: "p", offset: "" });
  for (const auth of [{ pid: "p", offset: "o" }, { pid: 7 }, {}, undefined]) assert.deepEqual(decode(auth), auth);
  assert.deepEqual(decode(["e", { pid: "p" }], PacketType.EVENT), ["e", { pid: "p" }]);
});

test("changes go together, their data behind one another, and are due once", () => {
  let due = 0;
  const report = new ChangeReport(() => due++);
  assert.equal(report.take(), undefined);
  report.add(["data", "p", 1, 2], Buffer.from("ab"));
  report.add(["leave", "p", 1, "room"]);
  report.add(["data", "q", 3, 1], Buffer.from("c"));
  assert.equal(due, 1);
  const batch = report.take();
  assert.deepEqual(
    batch?.changes.map(([kind]) => kind),
    ["data", "leave", "data"],
  );
  assert.equal(batch?.body.toString(), "abc");
  assert.equal(report.take(), undefined);
});

test("whom an event is for: a member of one of its rooms, or anybody where it names none, and of none that it leaves out", () => {
  const isIn = (room: string): boolean => room === "mine" || room === "id";
  const check = (rooms: string[], except: string[] = []) =>
    isFor({ rooms: new Set(rooms), except: new Set(except) }, isIn);
  assert.equal(check([]), true);
  assert.equal(check(["other", "mine"]), true);
  assert.equal(check(["other"]), false);
  assert.equal(check([], ["id"]), false);
  assert.equal(check(["mine"], ["other"]), true);
});

test("own publications are kept by number, and all of them go when they are too many", () => {
  const own = new OwnPublications(100);
  const add = (seq: number, bytes = 10): boolean =>
    own.add({
      nsp: "/",
      rooms: new Set(),
      except: new Set(),
      content: () => ({ args: "[]" }),
      bytes,
      claim: { tag: TAG, pos: 0, wid: 1, seq, streamId: undefined },
    });
  const after = (seq: number): number[] => own.after(seq).map(({ claim }) => claim.seq);
  for (const seq of [3, 4, 6]) assert.equal(add(seq), true);
  assert.deepEqual([after(0), after(4), after(6)], [[3, 4, 6], [6], []]);
  own.forgetUpTo(3);
  assert.deepEqual(after(0), [4, 6]);
  assert.equal(add(7, 81), false);
  assert.deepEqual(after(0), []);
  assert.equal(add(8, 100), true, "what was forgotten takes no room");
});

test("an arrival gives what was missed with its claims, and then what was kept with claims that cover it", () => {
  const data = toBytes({ name: "Ada" }, 1_000);
  const plain = Buffer.from(encodeEvent('["a",1]', "/chat", {}));
  const binary = encodePayload({ packet: { type: 2, data: ["b", Buffer.from("x")] } });
  const session: RestoredSession = {
    id: "id",
    generation: 2,
    rooms: ["id", "room"],
    dataBytes: data.length,
    missed: [
      { bytes: plain.length, bin: false, args: 7, claim: "claim-1" },
      { bytes: binary.body.length, bin: true, claim: "claim-2" },
    ],
    pos: 50,
    streamId: "9-0",
    seq: 3,
  };
  const body = Buffer.concat([data, plain, binary.body]);
  const arrival = new Arrival({ askId: 1, nsp: "/chat", pid: "p" }, session, body);
  arrival.keep({ args: '["c"]' }, { tag: TAG, pos: 40, wid: 7, seq: 4, streamId: "8-0" }, 5);
  arrival.keep({ args: '["d"]' }, { tag: TAG, pos: 60, wid: 7, seq: 4, streamId: "9-1" }, 5);
  assert.deepEqual(fromBytes(arrival.data), { name: "Ada" });
  assert.equal(arrival.keptBytes, 10);
  const [first, second, third, fourth] = [...arrival.events(new Encoder())];
  assert.deepEqual(first, ['2/chat,["a",1,"claim-1"]']);
  assert.equal(second?.[0], '51-/chat,["b",{"_placeholder":true,"num":0},"claim-2"]');
  assert.deepEqual(Buffer.from(second?.[1] as Uint8Array), Buffer.from("x"));
  assert.deepEqual(third, ['2/chat,["c","abcdefgh.1e.7.4.9-0"]']);
  assert.deepEqual(fourth, ['2/chat,["d","abcdefgh.1o.7.4.9-1"]']);
});

test("data that cannot be kept is refused: too large, or nothing that can be serialised", () => {
  assert.throws(() => toBytes({ text: "x".repeat(100) }, 100), TooLargeError);
  assert.throws(() => toBytes({ act: () => 1 }, 100), /could not be cloned/);
  const getter = Object.defineProperty({}, "broken", {
    enumerable: true,
    get: () => assert.fail("thrown by a getter"),
  });
  assert.throws(() => toBytes(getter, 100), /thrown by a getter/);
  const map = new Map([["when", new Date(5)]]);
  assert.deepEqual(fromBytes(toBytes({ map }, 100)), { map });
});
