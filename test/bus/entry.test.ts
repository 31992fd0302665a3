/** Entries of the stream: what limpet writes is what the stock adapter reads, and the other way round. */
import assert from "node:assert/strict";
import test from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import {
  BROADCAST,
  decodeEntry,
  encodeEntry,
  payloadOf,
  routingOf,
  SERVER_SIDE_EMIT,
  SOCKETS_JOIN,
  streamEntry,
  type Entry,
} from "../../src/bus/entry.js";
import { decodePayload, encodePayload, type Payload } from "../../src/link/payload.js";

const fieldsOf = (fields: readonly (string | Buffer)[]): Buffer[] => fields.map((field) => Buffer.from(field));
const written = (type: number, n: number, header: object, nsp?: string, payload?: Payload): Buffer[] =>
  fieldsOf(encodeEntry(streamEntry("uid", n, { type, header: JSON.stringify(header), nsp, payload })));
const stock = (more: Record<string, string>): Entry =>
  decodeEntry(fieldsOf(Object.entries({ uid: "stock", nsp: "/", ...more }).flat()));

test("an entry comes back as it was written, with its header", () => {
  const payload = encodePayload({ packet: { type: 2, data: ["é🐚"] }, opts: { rooms: ["r"], except: [], flags: {} } });
  const header = {
    r: ["r", "s"],
    e: [12, ["x"], { volatile: true }] as const,
    j: ["t"],
    o: 1 as const,
    q: ["id", "/nsp", 500] as const,
  };
  const entry = decodeEntry(written(BROADCAST, 7, header, "/nsp", payload));
  assert.deepEqual(entry, {
    uid: "uid",
    nsp: "/nsp",
    type: BROADCAST,
    data: payload.body,
    header: { n: 7, ...header },
    bundle: undefined,
  });
  const bare = decodeEntry(written(0, 1, {}));
  assert.deepEqual(bare, { uid: "uid", nsp: undefined, type: 0, data: undefined, header: { n: 1 }, bundle: undefined });
});

test("a payload has the stock adapter's form: JSON text, or MessagePack in base64 where binary is inside", () => {
  const data = { packet: { data: ["x", Buffer.from([1, 2])] }, opts: {} };
  const binary = written(BROADCAST, 1, {}, "/", encodePayload(data));
  const text = binary[binary.findIndex((field) => field.toString() === "data") + 1]?.toString() ?? "";
  assert.deepEqual(decode(Buffer.from(text, "base64")), data);
  const plain = written(BROADCAST, 1, {}, "/", encodePayload({ packet: 1 }));
  assert.ok(plain.some((field) => field.toString() === '{"packet":1}'));
});

test("a stock entry's payload is read in both forms", () => {
  const data = { packet: { data: ["x"] }, opts: { rooms: [] } };
  const texts = [JSON.stringify(data), Buffer.from(encode(data)).toString("base64")];
  for (const text of texts) {
    const entry = stock({ type: "3", data: text });
    assert.deepEqual(decodePayload(payloadOf(entry.data ?? Buffer.alloc(0))), data);
  }
});

test("an entry of limpet is routed by its header, its payload unread", () => {
  const entry = (header: Entry["header"]): Entry => ({
    uid: "uid",
    nsp: "/",
    type: BROADCAST,
    data: Buffer.from("unreadable"),
    header,
  });
  assert.deepEqual(routingOf(entry({ n: 1 })), { rooms: [], joins: undefined, toOpen: false });
  assert.deepEqual(routingOf(entry({ n: 1, r: ["a"], j: ["b"], o: 1 })), { rooms: ["a"], joins: ["b"], toOpen: true });
});

test("an entry of a stock server or of the emitter is routed by its options", () => {
  const opts = { rooms: ["a"], except: ["b"], flags: {} };
  assert.deepEqual(routingOf(stock({ type: "3", data: JSON.stringify({ opts }) })), {
    rooms: ["a"],
    joins: undefined,
    toOpen: false,
  });
  const joins = stock({ type: String(SOCKETS_JOIN), data: JSON.stringify({ opts, rooms: ["c"] }) });
  assert.deepEqual(routingOf(joins), { rooms: ["a"], joins: ["c"], toOpen: false });
  const word = stock({ type: String(SERVER_SIDE_EMIT), data: JSON.stringify({ packet: ["x"] }) });
  assert.deepEqual(routingOf(word), { rooms: [], joins: undefined, toOpen: true });
});

test("what is no entry is refused when it is read", () => {
  const unreadable: (readonly [Record<string, string>, RegExp])[] = [
    [{ nsp: "/", type: "3" }, /without uid/],
    [{ uid: "u", nsp: "/", type: "x" }, /without uid or type/],
    [{ uid: "u", type: "3", l: "{" }, /JSON/],
    ...[
      "{}",
      '{"n":"1"}',
      '{"n":1,"r":"room"}',
      '{"n":1,"e":[]}',
      '{"n":1,"e":[1,"x"]}',
      '{"n":1,"q":[1]}',
      '{"n":1,"j":{}}',
    ].map((l) => [{ uid: "u", type: "3", l }, /header/] as const),
  ];
  for (const [fields, message] of unreadable)
    assert.throws(() => decodeEntry(fieldsOf(Object.entries(fields).flat())), { message });
});

test("a stock entry without options that can be read is refused when it is routed", () => {
  for (const data of ["{}", '{"opts":1}', '{"opts":{"rooms":"a"}}', '{"opts":{"rooms":[],"except":"x"}}', "!!", "{"])
    assert.throws(() => routingOf(stock({ type: "3", data })), Error, data);
  assert.throws(() => routingOf(stock({ type: "3" })), /options/);
  const rooms = JSON.stringify({ opts: { rooms: [], except: [] }, rooms: "c" });
  assert.throws(() => routingOf(stock({ type: String(SOCKETS_JOIN), data: rooms })), /rooms cannot be read/);
});

test("fields of other names, of the same length too, are passed over", () => {
  const header = JSON.stringify({ n: 1, r: ["a"] });
  const fields = {
    uix: "-",
    uid: "u",
    nsq: "-",
    nsp: "/",
    typo: "9",
    type: "3",
    dota: "-",
    data: "{}",
    k: "[]",
    c: "3 2 2\n{}{}",
    l: header,
  };
  const entry = decodeEntry(fieldsOf(Object.entries(fields).flat()));
  assert.deepEqual(entry, {
    uid: "u",
    nsp: "/",
    type: 3,
    data: Buffer.from("{}"),
    header: { n: 1, r: ["a"] },
    bundle: undefined,
  });
});

test("a bundle's namespace and messages are read from fields that stock readers do not know", () => {
  const messages = '3 7 2\n{"n":8}{}';
  const entry = decodeEntry(fieldsOf(["uid", "u", "s", "/nsp", "b", messages, "l", '{"n":8}']));
  assert.deepEqual(entry, {
    uid: "u",
    nsp: "/nsp",
    type: 0,
    data: undefined,
    header: { n: 8 },
    bundle: Buffer.from(messages),
  });
});
