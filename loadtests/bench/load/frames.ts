/** WebSocket frames of a server as they come out of a connection, and those of a client (RFC 6455, 5.2). For short text messages in one frame each. */
const FINAL_TEXT = 0x81;
const MASKED = 0x80;
const MASK = [0x37, 0xfa, 0x21, 0x3d] as const;

/** `bytes` from `start` to `end` is the message; it is valid during the call only. */
export type OnMessage = (bytes: Buffer, start: number, end: number) => void;

export class FrameReader {
  readonly #onMessage: OnMessage;
  /** The beginning of a frame whose rest is to come. */
  #rest: Buffer | undefined;

  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage;
  }

  /** @param chunk may be written to again once this returns */
  read(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      const start = at + headerBytes(bytes, at);
      if (start > bytes.length) break;
      const end = start + payloadBytes(bytes, at);
      if (end > bytes.length) break;
      if (bytes[at] === FINAL_TEXT) this.#onMessage(bytes, start, end);
      at = end;
    }
    this.#rest = at === bytes.length ? undefined : Buffer.from(bytes.subarray(at));
  }
}

/** Infinity where the header is not all there. */
function headerBytes(bytes: Buffer, at: number): number {
  const length = bytes[at + 1];
  if (length === undefined) return Infinity;
  return length < 126 ? 2 : length === 126 ? 4 : 10;
}

function payloadBytes(bytes: Buffer, at: number): number {
  const length = bytes[at + 1] ?? 0;
  if (length < 126) return length;
  return length === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
}

export function clientFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  if (payload.length > 0xffff)
    throw new RangeError(`a message of ${payload.length} bytes is longer than a client here sends`);
  const header = payload.length < 126 ? 2 : 4;
  const frame = Buffer.allocUnsafe(header + MASK.length + payload.length);
  frame[0] = FINAL_TEXT;
  if (header === 2) frame[1] = MASKED | payload.length;
  else {
    frame[1] = MASKED | 126;
    frame.writeUInt16BE(payload.length, 2);
  }
  frame.set(MASK, header);
  const start = header + MASK.length;
  for (const [i, byte] of payload.entries()) frame[start + i] = byte ^ (MASK[i & 3] ?? 0);
  return frame;
}
