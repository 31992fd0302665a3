/** Whole, unmasked WebSocket frames as a server sends them (RFC 6455, 5.2), each in a buffer of its own. */
const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;
/** In place of a length: it follows, in two bytes or in eight. */
const MEDIUM = 126;
const LONG = 127;

export function textFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const frame = allocate(FINAL_TEXT, bytes);
  frame.write(text, frame.length - bytes, "utf8");
  return frame;
}

/** Holds a copy of `data`, which may change afterwards. */
export function binaryFrame(data: ArrayBuffer | ArrayBufferView): Buffer {
  const bytes = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
  const frame = allocate(FINAL_BINARY, bytes.length);
  frame.set(bytes, frame.length - bytes.length);
  return frame;
}

/** A buffer with the frame's header, whose last `bytes` bytes are still to be filled. */
function allocate(opcode: number, bytes: number): Buffer {
  const code = bytes < MEDIUM ? bytes : bytes < 65_536 ? MEDIUM : LONG;
  const header = headerBytes(code);
  const frame = Buffer.allocUnsafe(header + bytes);
  frame[0] = opcode;
  frame[1] = code;
  if (code === MEDIUM) frame.writeUInt16BE(bytes, 2);
  else if (code === LONG) frame.writeBigUInt64BE(BigInt(bytes), 2);
  return frame;
}

/** @param code of the payload's length, in a header's second byte */
function headerBytes(code: number): number {
  return code < MEDIUM ? 2 : code === MEDIUM ? 4 : 10;
}

/** @param frame in one or more pieces, the first of which holds its header */
export function payloadBytes(frame: readonly Buffer[]): number {
  const [first] = frame;
  if (first === undefined) return 0;
  let bytes = 0;
  for (const { length } of frame) bytes += length;
  return bytes - headerBytes(first[1] ?? 0);
}
