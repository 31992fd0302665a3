import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";
import { ProtocolError } from "../../loadtests/lib/engine-codec.ts";
import { encodePacket, type Frame, type Packet, PacketDecoder } from "../../loadtests/lib/packet-codec.ts";
import { randomValue, seeded } from "./random-value.ts";

interface TheirPacket {
  type: number;
  nsp: string;
  id?: number;
  data?: unknown;
}

/** The parser that the server itself uses. */
const parser = createRequire(createRequire(import.meta.url).resolve("socket.io"))("socket.io-parser") as {
  Encoder: new () => { encode(packet: TheirPacket): Frame[] };
  Decoder: new () => { on(event: "decoded", listener: (packet: TheirPacket) => void): void; add(frame: Frame): void };
};

const CODES = { connect: 0, disconnect: 1, event: 2, ack: 3, connect_error: 4 } as const;
const NAMESPACES = ["/", "/admin", "/a/b-1", "/2"];

function randomPacket(random: () => number): Packet {
  const nsp = NAMESPACES[Math.floor(random() * NAMESPACES.length)] ?? "/";
  const id = Math.floor(random() * 1e4);
  const budget = { attachments: 10 };
  const value = (): unknown => randomValue(random, budget);
  switch (Math.floor(random() * 7)) {
    case 0:
      return random() < 0.5 ? { type: "connect", nsp } : { type: "connect", nsp, data: { token: "t", n: [1] } };
    case 1:
      return { type: "disconnect", nsp };
    case 2:
      return { type: "connect_error", nsp, data: { message: "no", data: { hint: 1 } } };
    case 3:
    case 4:
      return { type: "ack", nsp, id, data: [value(), value()] };
    case 5:
      return { type: "event", nsp, data: ["news", value(), value()] };
    default:
      return { type: "event", nsp, id, data: ["ask", value()] };
  }
}

function theirs(packet: Packet): TheirPacket {
  return { ...packet, type: CODES[packet.type] };
}

function decode(frames: readonly Frame[]): Packet | undefined {
  const decoder = new PacketDecoder();
  const [last, ...others] = frames.map((frame) => decoder.add(frame)).reverse();
  assert.ok(
    others.every((packet) => packet === undefined),
    "complete before its last frame",
  );
  return last;
}

function decodeTheirWay(frames: readonly Frame[]): TheirPacket {
  const decoder = new parser.Decoder();
  let decoded: TheirPacket | undefined;
  decoder.on("decoded", (packet) => {
    decoded = packet;
  });
  for (const frame of frames) decoder.add(frame);
  assert.ok(decoded);
  return decoded;
}

/** Buffers as lists of numbers: deepEqual looks at the bytes of typed arrays only. */
function plain(value: unknown): unknown {
  if (value instanceof ArrayBuffer) return { bytes: [...new Uint8Array(value)] };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

test("5,000 random packets are written and read as socket.io-parser does", () => {
  const random = seeded(4);
  const encoder = new parser.Encoder();
  let withAttachments = 0;
  for (let i = 0; i < 5_000; i++) {
    const packet = randomPacket(random);
    const frames = encodePacket(packet);
    // Theirs first as a copy: it may write into what it is given.
    const expected = encoder.encode(theirs(structuredClone(packet)));
    assert.deepEqual(frames.map(plain), expected.map(plain));
    assert.deepEqual(plain(decode(frames)), plain(packet));
    const { type, nsp, id, data } = decodeTheirWay(frames);
    assert.deepEqual(
      plain({ type, nsp, id, data }),
      plain({ id: undefined, data: undefined, ...theirs(structuredClone(packet)) }),
    );
    if (frames.length > 1) withAttachments += 1;
  }
  assert.ok(withAttachments > 500, `only ${withAttachments} packets had attachments`);
});

test("a typed array is sent as the bytes it shows, not as those behind it", () => {
  const bytes = new Uint8Array([0, 1, 2, 3, 4]).subarray(1, 3);
  const frames = encodePacket({ type: "event", nsp: "/", data: ["e", bytes, new DataView(bytes.buffer, 4)] });
  assert.equal(frames[0], '52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
  assert.deepEqual(frames.slice(1).map(plain), [{ bytes: [1, 2] }, { bytes: [4] }]);
});

test("an object with toJSON is sent as what that returns", () => {
  const [text] = encodePacket({ type: "event", nsp: "/", data: ["e", new Date(0), { toJSON: () => "mine" }] });
  assert.equal(text, '2["e","1970-01-01T00:00:00.000Z","mine"]');
});

test("what socket.io-parser refuses is refused, by name", () => {
  const refused = [
    "",
    "7",
    "x",
    "2",
    "2{}",
    "2[]",
    "2[null]",
    '2["connect"]',
    '2["e"',
    "3[]",
    "31{}",
    '0"text"',
    "1{}",
    "4[]",
    '5["e"]',
    '5-["e"]',
    '50-["e"]',
    '511-["e"]',
  ];
  // Theirs takes nothing for a CONNECT, and lets an event without payload and an ack without id pass.
  const lenient = new Set(["", "2", "3[]"]);
  for (const text of refused) {
    assert.throws(() => new PacketDecoder().add(text), ProtocolError, text);
    const addTheirWay = (): void => {
      new parser.Decoder().add(text);
    };
    if (lenient.has(text)) assert.doesNotThrow(addTheirWay, text);
    else assert.throws(addTheirWay, Error, text);
  }
});

test("frames in a wrong order are refused", () => {
  const bytes = new ArrayBuffer(1);
  assert.throws(() => new PacketDecoder().add(bytes), ProtocolError);
  const decoder = new PacketDecoder();
  decoder.add('51-["e",{"_placeholder":true,"num":0}]');
  assert.throws(() => decoder.add('2["e"]'), ProtocolError);
  const astray = new PacketDecoder();
  astray.add('51-["e",{"_placeholder":true,"num":1}]');
  assert.throws(() => astray.add(bytes), ProtocolError);
});
