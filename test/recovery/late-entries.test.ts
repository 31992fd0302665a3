import assert from "node:assert/strict";
import test from "node:test";
import type { Inbound } from "../../src/bus/local-side.js";
import { decodePayload, encodeEvent, encodePayload } from "../../src/link/payload.js";
import { withoutSockets } from "../../src/primary/late-sieve.js";
import { LateEntries } from "../../src/recovery/late-entries.js";
import type { LoggedEvent } from "../../src/recovery/log-entry.js";

const TAG = "former--";

const entry = (pos: number, wid: number, seq: number, more: Partial<LoggedEvent> = {}): LoggedEvent => ({
  nsp: "/",
  rooms: ["red"],
  except: [],
  bin: false,
  argsBytes: undefined,
  body: Buffer.alloc(0),
  origin: { tag: TAG, pos, wid, seq },
  streamId: "9-0",
  unicast: false,
  ...more,
});

const claim = (pos: number, wid: number, seq: number) => ({ tag: TAG, pos, wid, seq, streamId: "5-0" });

test("who has had a late entry of its former node is named; others, and what comes after, are not", () => {
  const late = new LateEntries();
  late.adopt("a", "/", [claim(10, 1, 4)], 0);
  late.adopt("b", "/", [claim(20, 2, 7)], 0);
  late.adopt("elsewhere", "/chat", [claim(20, 2, 7)], 0);
  assert.deepEqual(late.receivers(entry(10, 3, 1)), ["a", "b"]);
  assert.deepEqual(late.receivers(entry(15, 3, 2)), ["b"]);
  // Worker 1 had published it before the log knew of it.
  assert.deepEqual(late.receivers(entry(25, 1, 4)), ["a"]);
  assert.deepEqual(late.receivers(entry(25, 1, 5)), []);
  assert.deepEqual(late.receivers(entry(15, 3, 2, { nsp: "/chat" })), ["elsewhere"]);
  assert.deepEqual(late.receivers(entry(10, 3, 1, { origin: undefined })), []);
  assert.deepEqual(late.receivers(entry(10, 3, 1, { origin: { tag: "another-", pos: 1, wid: 1, seq: 1 } })), []);
});

test("they are forgotten in the order in which they came", () => {
  const late = new LateEntries();
  late.adopt("a", "/", [claim(10, 1, 4)], 100);
  late.adopt("b", "/", [claim(10, 1, 4)], 200);
  late.adopt("a", "/", [claim(10, 1, 4)], 300);
  late.forget(250);
  assert.deepEqual(late.receivers(entry(10, 3, 1)), ["a"]);
  late.forget(301);
  assert.deepEqual(late.receivers(entry(10, 3, 1)), []);
});

test("a message leaves them out in its header where it has one, in its body where it is packed", () => {
  const args = JSON.stringify(["n", 1]);
  const body = Buffer.from(encodeEvent(args, "/", { rooms: ["red"], except: ["x"], flags: {} }));
  const logged = entry(1, 1, 1, { except: ["x"] });
  const event = { bytes: args.length, except: ["x"], flags: {} };
  const common = { nsp: "/", type: 3, bin: false, rooms: ["red"], to: "members", logged } as const;
  const plain: Inbound = { ...common, event };
  const sieved = withoutSockets(plain, body, ["a", "b"]);
  assert.equal(sieved.body, body);
  assert.deepEqual(sieved.message.event?.except, ["x", "a", "b"]);
  assert.deepEqual(sieved.message.logged?.except, ["x", "a", "b"]);

  const data = {
    packet: { type: 2, data: ["n", Buffer.from([1])], nsp: "/" },
    opts: { rooms: ["red"], except: ["x"] },
  };
  const packed = encodePayload(data);
  assert.equal(packed.bin, true);
  const repacked = withoutSockets({ ...common, bin: true }, packed.body, ["a"]);
  const read = decodePayload({ bin: repacked.message.bin, body: repacked.body }) as typeof data;
  assert.deepEqual(read.opts, { rooms: ["red"], except: ["x", "a"] });
  assert.deepEqual(Buffer.from(read.packet.data[1] as Uint8Array), Buffer.from([1]));
  assert.deepEqual(repacked.message.logged?.except, ["x", "a"]);
});
