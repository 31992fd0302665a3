/**
 * Frames of what a worker says to servers outside of its node: an entry of the stream, complete but for its number, so that the primary need not look into it.
 *
 * Behind the frame's prefix ({@link ./frame.ts}): `u8 type | u8 1: binary | u32 bytes of the namespace | namespace | header | payload`. The header is
 * {@link HeaderText}.
 */
import type { HeaderText } from "./entry-header.js";
import { COPY_BELOW_BYTES, ENTRY, KIND_SHIFT, PREFIX_BYTES } from "./event-frame.js";

/** An entry on its way to the stream. */
export interface Outgoing {
  readonly t: "entry";
  readonly nsp: string;
  /** socket.io-adapter's MessageType. */
  readonly type: number;
  readonly bin: boolean;
  readonly header: HeaderText;
}

const TYPE_AT = PREFIX_BYTES;
const BIN_AT = TYPE_AT + 1;
const NSP_BYTES_AT = BIN_AT + 1;
const FIXED_BYTES = 6;

export function encodeEntryFrame({ nsp, type, bin, header }: Omit<Outgoing, "t">, body: Buffer | string): Buffer[] {
  const nspBytes = Buffer.byteLength(nsp);
  const headBytes = FIXED_BYTES + nspBytes + Buffer.byteLength(header);
  const bodyBytes = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  const copies = typeof body === "string" || bodyBytes <= COPY_BELOW_BYTES;
  const bodyAt = PREFIX_BYTES + headBytes;
  const frame = Buffer.allocUnsafe(bodyAt + (copies ? bodyBytes : 0));
  frame.writeUInt32BE(4 + headBytes + bodyBytes, 0);
  frame.writeUInt32BE(ENTRY * 2 ** KIND_SHIFT + headBytes, 4);
  frame.writeUInt8(type, TYPE_AT);
  frame.writeUInt8(bin ? 1 : 0, BIN_AT);
  frame.writeUInt32BE(nspBytes, NSP_BYTES_AT);
  frame.write(nsp, PREFIX_BYTES + FIXED_BYTES, "utf8");
  frame.write(header, PREFIX_BYTES + FIXED_BYTES + nspBytes, "utf8");
  if (typeof body === "string") frame.write(body, bodyAt, "utf8");
  else if (copies) frame.set(body, bodyAt);
  else return [frame, body];
  return [frame];
}

/**
 * @param at where the frame's prefix ends
 * @param end where its header does
 * @throws RangeError where it is none
 */
export function readEntryHeader(buffer: Buffer, at: number, end: number): Outgoing {
  const nspAt = at + FIXED_BYTES;
  if (nspAt > end) throw new RangeError("no entry: its header is too short");
  const headerAt = nspAt + buffer.readUInt32BE(at + NSP_BYTES_AT - PREFIX_BYTES);
  if (headerAt > end) throw new RangeError("no entry: its header is too short");
  return {
    t: "entry",
    type: buffer.readUInt8(at),
    bin: buffer.readUInt8(at + 1) === 1,
    nsp: buffer.toString("utf8", nspAt, headerAt),
    header: buffer.toString("utf8", headerAt, end),
  };
}
