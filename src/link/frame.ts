/**
 * Frames on the wire between primary and worker: `u32 length | u32 kind and header length | header | body`. Numbers are big-endian; `length` counts
 * everything behind itself. The kind, in the two highest bits, says whether the header is JSON or that of a plain event. The body is opaque here.
 */
import { readEntryHeader } from "./entry-frame.js";
import {
  BROADCAST,
  ENTRY,
  encodeEventFrame,
  COPY_BELOW_BYTES,
  JSON_HEADER,
  KIND_SHIFT,
  LENGTH_MASK,
  PREFIX_BYTES,
  readEventHeader,
} from "./event-frame.js";
import type { Deliver, Publish } from "./messages.js";
import { encodeEvent, encodeEventArgs, type EventOptions } from "./payload.js";

/** Larger frames mean that the two ends do not understand each other. */
export const MAX_FRAME_BYTES = 1 << 30;

export const NO_BODY = Buffer.alloc(0);

/**
 * The frame as buffers to be written in order.
 * @param body text goes into the frame without a buffer of its own
 */
export function encodeFrame(header: object, body: Buffer | string = NO_BODY): Buffer[] {
  const text = JSON.stringify(header);
  if (typeof body === "string") return [encodeTexts(text, body)];
  const headerBytes = Buffer.byteLength(text);
  const copies = body.length <= COPY_BELOW_BYTES;
  const head = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes + (copies ? body.length : 0));
  head.writeUInt32BE(4 + headerBytes + body.length, 0);
  head.writeUInt32BE(headerBytes, 4);
  head.write(text, PREFIX_BYTES, "utf8");
  if (!copies) return [head, body];
  head.set(body, PREFIX_BYTES + headerBytes);
  return [head];
}

function encodeTexts(header: string, body: string): Buffer {
  const headerBytes = Buffer.byteLength(header);
  const bodyBytes = Buffer.byteLength(body);
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes + bodyBytes);
  frame.writeUInt32BE(4 + headerBytes + bodyBytes, 0);
  frame.writeUInt32BE(headerBytes, 4);
  frame.write(header + body, PREFIX_BYTES, "utf8");
  return frame;
}

/**
 * A plain event as a worker publishes it.
 * @param args its name and arguments, as a JSON array
 * @param seq its number, where clients that are away are to get it later
 */
export function encodePublishedEvent(nsp: string, args: string, target: EventOptions, seq?: number): readonly Buffer[] {
  const frame = encodeEventFrame(nsp, args, target, seq);
  if (frame !== undefined) return [frame];
  const { rooms, except, flags } = target;
  const event = { bytes: Buffer.byteLength(args), except, flags };
  const header: Publish = { t: "publish", nsp, type: BROADCAST, rooms, to: "members", bin: false, event };
  return encodeFrame(seq === undefined ? header : { ...header, seq }, encodeEvent(args, nsp, target));
}

/** The same as its receivers get it past the primary: of the body, what they read. @param from wid of who publishes it */
export function encodeDeliveredEvent(nsp: string, args: string, target: EventOptions, from: number): readonly Buffer[] {
  const frame = encodeEventFrame(nsp, args, target, undefined, from);
  if (frame !== undefined) return [frame];
  const event = { bytes: Buffer.byteLength(args), ...target };
  const header: Deliver = { t: "deliver", from, nsp, type: BROADCAST, bin: false, event };
  return encodeFrame(header, encodeEventArgs(args));
}

/** @param frame the whole of it, where it is a plain event's */
export type OnFrame = (header: unknown, body: Buffer, frame: Buffer | undefined) => void;

/** The frames behind one whose handling fails must not be lost with it: the error surfaces as an uncaught one of its own. */
export function apart(onFrame: OnFrame): OnFrame {
  return (header, body, frame) => {
    try {
      onFrame(header, body, frame);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}

/** Cuts a byte stream into frames. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes needed before another look is worth it. */
  #wanted = PREFIX_BYTES;

  /** @throws RangeError or SyntaxError when the bytes are no frames; the stream is useless afterwards. */
  push(chunk: Buffer, onFrame: OnFrame): void {
    const buffer = this.#withKept(chunk);
    if (buffer === undefined) return;
    let at = 0;
    while (buffer.length - at >= PREFIX_BYTES) {
      const length = buffer.readUInt32BE(at);
      const second = buffer.readUInt32BE(at + 4);
      const kind = second >>> KIND_SHIFT;
      const headerBytes = second & LENGTH_MASK;
      if (length > MAX_FRAME_BYTES || headerBytes > length - 4)
        throw new RangeError(`no frame: length ${length}, header ${headerBytes}`);
      const end = at + 4 + length;
      if (end > buffer.length) {
        this.#wanted = end - at;
        break;
      }
      const headerAt = at + PREFIX_BYTES;
      const bodyAt = headerAt + headerBytes;
      const body = buffer.subarray(bodyAt, end);
      if (kind === ENTRY) {
        const header = readEntryHeader(buffer, headerAt, bodyAt);
        at = end;
        onFrame(header, body, undefined);
      } else if (kind === JSON_HEADER) {
        const header: unknown = JSON.parse(buffer.toString("utf8", headerAt, bodyAt));
        at = end;
        onFrame(header, body, undefined);
      } else {
        const frame = at === 0 && end === buffer.length ? buffer : buffer.subarray(at, end);
        at = end;
        onFrame(readEventHeader(kind, frame, PREFIX_BYTES + headerBytes), body, frame);
      }
    }
    if (at < buffer.length) this.#keep(buffer.subarray(at));
  }

  /** @returns undefined where that is not worth a look yet: it is kept */
  #withKept(chunk: Buffer): Buffer | undefined {
    if (this.#bytes === 0 && chunk.length >= this.#wanted) return chunk;
    this.#keep(chunk);
    if (this.#bytes < this.#wanted) return undefined;
    const buffer = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [];
    this.#bytes = 0;
    this.#wanted = PREFIX_BYTES;
    return buffer;
  }

  #keep(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
  }
}
