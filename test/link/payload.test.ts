import assert from "node:assert/strict";
import test from "node:test";
import { decodePayload, encodeEvent, encodePayload } from "../../src/link/payload.js";

const passed = (data: object): unknown => decodePayload(encodePayload(data));

test("without binary it is JSON, with binary MessagePack that keeps what JSON would keep", () => {
  const plain = { text: "é🐚", list: [1, null, undefined], gone: undefined, when: new Date(0) };
  const kept = { text: "é🐚", list: [1, null, null], when: "1970-01-01T00:00:00.000Z" };
  assert.equal(encodePayload(plain).bin, false);
  assert.deepEqual(passed(plain), kept);
  const bytes = Buffer.from([1, 2]);
  assert.equal(encodePayload({ ...plain, bytes }).bin, true);
  assert.deepEqual(passed({ ...plain, bytes, method: () => 1, symbol: Symbol("s") }), { ...kept, bytes });
});

test("every kind of binary comes out as a Buffer of the same bytes", () => {
  const bytes = [1, 2, 3, 4];
  const whole = new Uint8Array([9, ...bytes, 9]);
  const kinds = [Buffer.from(bytes), whole.subarray(1, 5), whole.buffer.slice(1, 5), new DataView(whole.buffer, 1, 4)];
  assert.deepEqual(
    passed(kinds),
    kinds.map(() => Buffer.from(bytes)),
  );
});

test("no nesting and no key that Socket.IO can send is refused", () => {
  let deep: unknown = Buffer.from([1]);
  for (let depth = 0; depth < 1_000; depth++) deep = [deep];
  assert.deepEqual(passed({ deep }), { deep });
  const named = JSON.parse('{"__proto__": 1, "constructor": 2}') as object;
  assert.deepEqual(passed({ ...named, ["__proto__"]: 1, bytes: Buffer.from([1]) }), {
    constructor: 2,
    bytes: Buffer.from([1]),
  });
});

test("what cannot be serialised throws", () => {
  for (const extra of [{}, { bytes: Buffer.from([1]) }]) {
    assert.throws(() => encodePayload({ ...extra, big: 1n }), TypeError);
    const cycle: Record<string, unknown> = { ...extra };
    cycle["self"] = cycle;
    assert.throws(() => encodePayload(cycle), /circular|call stack/i);
  }
});

test("an event's options are written where there are any", () => {
  const read = (text: string): unknown => (JSON.parse(text) as { opts: unknown }).opts;
  const flags = { volatile: true };
  assert.deepEqual(read(encodeEvent('["m"]', "/", { rooms: ["a"], except: [], flags: {} })), { rooms: ["a"] });
  assert.deepEqual(read(encodeEvent('["m"]', "/", { rooms: [], except: ["b"], flags })), {
    rooms: [],
    except: ["b"],
    flags,
  });
});
