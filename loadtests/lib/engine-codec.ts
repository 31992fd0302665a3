/**
 * Engine.IO 4 packets as they travel. Pure: plain Node and k6 both load this file, so base64 is handed in
 * (k6 has a native one, and so has Node).
 */
const TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"] as const;
const SEPARATOR = "\x1e";

export type EngineType = (typeof TYPES)[number];

/** Binary data is always of type "message"; no data and an empty text are the same thing on the wire. */
export interface EnginePacket {
  readonly type: EngineType;
  readonly data: string | ArrayBuffer;
}

export interface Base64 {
  encode(bytes: ArrayBuffer): string;
  /** @throws Error on text that is not base64 */
  decode(text: string): ArrayBuffer;
}

/** What came from the server is not Engine.IO 4 or Socket.IO 5. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** One WebSocket frame: text, or the bytes alone when the data is binary. */
export function encodeFrame(packet: EnginePacket): string | ArrayBuffer {
  return typeof packet.data === "string" ? `${TYPES.indexOf(packet.type)}${packet.data}` : packet.data;
}

/** @throws ProtocolError when a text frame does not begin with a packet type */
export function decodeFrame(frame: string | ArrayBuffer): EnginePacket {
  if (typeof frame !== "string") return { type: "message", data: frame };
  const type = TYPES[frame.charCodeAt(0) - 48];
  if (type === undefined) throw new ProtocolError(`unknown Engine.IO packet: ${JSON.stringify(frame.slice(0, 40))}`);
  return { type, data: frame.slice(1) };
}

/** The body of a polling response or request: packets between record separators, binary ones as "b" and base64. */
export function encodePayload(packets: readonly EnginePacket[], base64: Base64): string {
  return packets.map((packet) => encodeText(packet, base64)).join(SEPARATOR);
}

/** @throws ProtocolError when one of the packets is none */
export function decodePayload(payload: string, base64: Base64): EnginePacket[] {
  return payload.split(SEPARATOR).map((text) => {
    if (!text.startsWith("b")) return decodeFrame(text);
    try {
      return { type: "message", data: base64.decode(text.slice(1)) };
    } catch (cause) {
      throw new ProtocolError("a binary packet of a polling payload is not base64", { cause });
    }
  });
}

/**
 * How many packets from the front fit into one polling request of at most `maxPayloadBytes`; at least one, since what
 * is too large alone is for the server to refuse.
 */
export function countFitting(packets: readonly EnginePacket[], maxPayloadBytes: number): number {
  let size = 0;
  for (const [index, packet] of packets.entries()) {
    size += textSizeBytes(packet) + (index > 0 ? SEPARATOR.length : 0);
    if (index > 0 && size > maxPayloadBytes) return index;
  }
  return packets.length;
}

function encodeText(packet: EnginePacket, base64: Base64): string {
  return typeof packet.data === "string"
    ? `${TYPES.indexOf(packet.type)}${packet.data}`
    : `b${base64.encode(packet.data)}`;
}

function textSizeBytes({ data }: EnginePacket): number {
  return 1 + (typeof data === "string" ? utf8SizeBytes(data) : Math.ceil(data.byteLength / 3) * 4);
}

function utf8SizeBytes(text: string): number {
  let size = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A surrogate pair is two units and four bytes, so each half counts two.
    if (unit >= 0xd800 && unit <= 0xdfff) size += 1;
    else if (unit >= 0x800) size += 2;
    else if (unit >= 0x80) size += 1;
  }
  return size;
}
