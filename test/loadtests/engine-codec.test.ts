import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";
import {
  type Base64,
  countFitting,
  decodeFrame,
  decodePayload,
  encodeFrame,
  encodePayload,
  type EnginePacket,
  type EngineType,
  ProtocolError,
} from "../../loadtests/lib/engine-codec.ts";
import { randomBytes, randomText, seeded } from "./random-value.ts";

/** The parser that the server itself uses. */
const parser = createRequire(createRequire(import.meta.url).resolve("engine.io"))("engine.io-parser") as {
  encodePacket(packet: EnginePacket, binary: boolean, done: (frame: unknown) => void): void;
  decodePacket(frame: unknown, binaryType: "arraybuffer"): EnginePacket;
  encodePayload(packets: EnginePacket[], done: (payload: string) => void): void;
  decodePayload(payload: string, binaryType: "arraybuffer"): EnginePacket[];
};

const base64: Base64 = {
  encode: (bytes) => Buffer.from(bytes).toString("base64"),
  decode: (text) => {
    const bytes = Buffer.from(text, "base64");
    return Uint8Array.from(bytes).buffer;
  },
};

const TYPES: EngineType[] = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];

function randomPacket(random: () => number): EnginePacket {
  if (random() < 0.3) return { type: "message", data: randomBytes(random) };
  return { type: TYPES[Math.floor(random() * TYPES.length)] ?? "noop", data: randomText(random) };
}

/** The parser leaves data out when it is empty, and gives back a Buffer where it feels like it. */
function plain(packet: { type: string; data?: unknown }): { type: string; data: unknown } {
  const { type, data = "" } = packet;
  if (data instanceof ArrayBuffer) return { type, data: [...new Uint8Array(data)] };
  return { type, data: Buffer.isBuffer(data) ? [...data] : data };
}

test("frames are byte for byte those of engine.io-parser, and are read as it reads them", () => {
  const random = seeded(1);
  for (let i = 0; i < 2_000; i++) {
    const packet = randomPacket(random);
    const frame = encodeFrame(packet);
    parser.encodePacket(packet, true, (theirs) => {
      assert.deepEqual(plain({ type: "message", data: frame }), plain({ type: "message", data: theirs }));
    });
    assert.deepEqual(plain(decodeFrame(frame)), plain(packet));
    assert.deepEqual(plain(parser.decodePacket(frame, "arraybuffer")), plain(packet));
  }
});

test("polling payloads are those of engine.io-parser, both ways, with binary packets between text", () => {
  const random = seeded(2);
  for (let i = 0; i < 1_000; i++) {
    const packets = Array.from({ length: 1 + Math.floor(random() * 6) }, () => randomPacket(random));
    const payload = encodePayload(packets, base64);
    parser.encodePayload(packets, (theirs) => {
      assert.equal(payload, theirs);
    });
    assert.deepEqual(decodePayload(payload, base64).map(plain), packets.map(plain));
    assert.deepEqual(parser.decodePayload(payload, "arraybuffer").map(plain), packets.map(plain));
  }
});

test("what is no packet is refused by name", () => {
  const broken: Base64 = {
    encode: () => "",
    decode: () => {
      throw new Error("not base64");
    },
  };
  for (const frame of ["", "7", "x", "-1"]) assert.throws(() => decodeFrame(frame), ProtocolError, frame);
  assert.throws(() => decodePayload("4a\x1e\x1e4b", base64), ProtocolError);
  assert.throws(() => decodePayload("b*", broken), ProtocolError);
});

test("a request is filled to the limit and not beyond, counted in bytes of UTF-8 and base64", () => {
  const random = seeded(3);
  for (let i = 0; i < 500; i++) {
    const packets = Array.from({ length: 1 + Math.floor(random() * 8) }, () => randomPacket(random));
    const sizes = packets.map((_, index) => Buffer.byteLength(encodePayload(packets.slice(0, index + 1), base64)));
    const limit = 1 + Math.floor(random() * (sizes.at(-1) ?? 0) * 1.2);
    const fitting = sizes.filter((size) => size <= limit).length;
    assert.equal(countFitting(packets, limit), Math.max(1, fitting), JSON.stringify({ i, limit, sizes }));
  }
});
