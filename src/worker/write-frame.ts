/** Whole, unmasked WebSocket frames as a server sends them (RFC 6455, 5.2), each in a buffer of its own. */
const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;

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
  const header = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + bytes);
  frame[0] = opcode;
  if (header === 2) {
    frame[1] = bytes;
  } else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(bytes, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(bytes), 2);
  }
  return frame;
}
