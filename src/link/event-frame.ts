/**
 * Frames of plain events, whose header is no JSON: nearly all that passes between workers are such events, and reading and writing their headers was a
 * good part of what the primary did. It passes these on as they are, with two numbers changed.
 *
 * Behind the frame's prefix ({@link ./frame.ts}): `u32 from | f64 seq or pos, -1: none | u32 bytes of the arguments | u32 characters of the namespace |
 * u32 characters of the rest | u32 number of rooms | u32 characters of each room | text | body`. The text is namespace, rooms and rest, one behind the
 * other; the rest is the JSON of `[except, flags]`, empty where both are. Characters are UTF-16 units, as JavaScript counts them.
 */
import type { BroadcastFlags } from "socket.io-adapter";
import { copyOf } from "../lib/copy-of.js";
import { hasKeys } from "../lib/has-keys.js";
import type { Deliver, Publish } from "./messages.js";
import { encodeEvent, encodeEventArgs, EVENT_ARGS_AT, type EventOptions } from "./payload.js";

/** socket.io-adapter's MessageType of a broadcast, which is what a plain event travels as. */
export const BROADCAST = 3;

/** What the two highest bits of a frame's second number say of its header. */
export const JSON_HEADER = 0;
export const PUBLISHED = 1;
export const DELIVERED = 2;
/** Of {@link ./entry-frame.ts}. */
export const ENTRY = 3;
export const KIND_SHIFT = 30;
export const LENGTH_MASK = 2 ** KIND_SHIFT - 1;

/** Of every frame: its length, and the number above. */
export const PREFIX_BYTES = 8;
/** Bodies up to this size are copied into the frame's own buffer: one small write is cheaper than two. */
export const COPY_BELOW_BYTES = 4096;

const FROM_AT = 8;
const NUMBER_AT = 12;
const ARGS_BYTES_AT = 20;
const NSP_AT = 24;
const REST_AT = 28;
const ROOMS_AT = 32;
const FIXED_END = 36;
const NONE = -1;

const SCRATCH_BYTES = 64 * 1024;
/** Of a UTF-16 unit in UTF-8. */
const MOST_BYTES_A_CHARACTER = 3;
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
const numbers = new DataView(scratch.buffer);

/**
 * @param args the event's name and arguments, as a JSON array
 * @param seq its number, where it is published and goes into the log
 * @param from who delivers it past the primary; 0: it is published
 * @returns undefined where a frame with a JSON header must do: it is too long, or has a room that is no text
 */
export function encodeEventFrame(
  nsp: string,
  args: string,
  target: EventOptions,
  seq: number | undefined,
  from = 0,
): Buffer | undefined {
  const text = putTarget(nsp, target);
  if (text === undefined) return undefined;
  const textAt = FIXED_END + 4 * target.rooms.length;
  const body = from === 0 ? encodeEvent(args, nsp, target) : encodeEventArgs(args);
  const characters = text.length + body.length;
  if (textAt + characters * MOST_BYTES_A_CHARACTER > SCRATCH_BYTES) return undefined;
  const written = scratch.write(text + body, textAt, "utf8");
  const isAscii = written === characters;
  // JSON keeps halves of pairs, UTF-8 does not.
  if (!isAscii && !text.isWellFormed()) return undefined;
  const end = textAt + written;
  const bodyAt = textAt + (isAscii ? text.length : Buffer.byteLength(text));
  const argsBytes = isAscii ? args.length : Buffer.byteLength(args);
  putHead(from === 0 ? PUBLISHED : DELIVERED, from, seq ?? NONE, argsBytes, bodyAt, end);
  return copyOf(scratch, end);
}

/**
 * An event from outside for those it is for: what they read of its body, as it is.
 * @param argsBytes length of the arguments' JSON in the body
 * @param body as of {@link encodeEvent}
 * @returns undefined where a frame with a JSON header must do
 */
export function encodeDeliveredBody(
  nsp: string,
  target: EventOptions,
  argsBytes: number,
  body: Buffer,
  from: number,
): Buffer | undefined {
  const bodyBytes = EVENT_ARGS_AT + argsBytes;
  const text = putTarget(nsp, target);
  const textAt = FIXED_END + 4 * target.rooms.length;
  if (text === undefined || textAt + text.length * MOST_BYTES_A_CHARACTER + bodyBytes > SCRATCH_BYTES) return undefined;
  const written = scratch.write(text, textAt, "utf8");
  if (written !== text.length && !text.isWellFormed()) return undefined;
  const bodyAt = textAt + written;
  body.copy(scratch, bodyAt, 0, bodyBytes);
  putHead(DELIVERED, from, NONE, argsBytes, bodyAt, bodyAt + bodyBytes);
  return copyOf(scratch, bodyAt + bodyBytes);
}

/**
 * Puts the lengths of namespace, rooms and rest into the scratch.
 * @returns their text; undefined where the frame cannot have it
 */
function putTarget(nsp: string, { rooms, except, flags }: EventOptions): string | undefined {
  const rest = except.length > 0 || hasKeys(flags) ? JSON.stringify([except, flags]) : "";
  // So that what follows fits the scratch, whatever it is.
  if (FIXED_END + 4 * rooms.length > SCRATCH_BYTES / 2) return undefined;
  let text = nsp;
  for (let n = 0; n < rooms.length; n++) {
    const room = rooms[n];
    if (typeof room !== "string") return undefined;
    numbers.setUint32(FIXED_END + 4 * n, room.length);
    text += room;
  }
  numbers.setUint32(NSP_AT, nsp.length);
  numbers.setUint32(REST_AT, rest.length);
  numbers.setUint32(ROOMS_AT, rooms.length);
  return text + rest;
}

function putHead(kind: number, from: number, number: number, argsBytes: number, bodyAt: number, end: number): void {
  numbers.setUint32(0, end - 4);
  // Not by `<<`, whose result is signed.
  numbers.setUint32(4, kind * 2 ** KIND_SHIFT + bodyAt - FROM_AT);
  numbers.setUint32(FROM_AT, from);
  numbers.setFloat64(NUMBER_AT, number);
  numbers.setUint32(ARGS_BYTES_AT, argsBytes);
}

/**
 * What a worker has published, for those it is for.
 * @param published the whole frame
 * @param pos where it stands in the log, if it does
 */
export function deliveredFrame(published: Buffer, from: number, pos: number | undefined): Buffer {
  const frame = Buffer.allocUnsafe(published.length);
  frame.set(published);
  // The highest two bits: PUBLISHED becomes DELIVERED.
  frame[4] = ((published[4] ?? 0) & 0x3f) | (DELIVERED << 6);
  frame.writeUInt32BE(from, FROM_AT);
  frame.writeDoubleBE(pos ?? NONE, NUMBER_AT);
  return frame;
}

/**
 * @param frame the whole one
 * @param bodyAt where its header ends
 * @throws RangeError or SyntaxError where the header is none
 */
export function readEventHeader(kind: number, frame: Buffer, bodyAt: number): Publish | Deliver {
  const roomCount = bodyAt < FIXED_END ? NaN : frame.readUInt32BE(ROOMS_AT);
  const textAt = FIXED_END + 4 * roomCount;
  if (!(textAt <= bodyAt)) throw new RangeError("no event: its header is too short");
  const text = frame.toString("utf8", textAt, bodyAt);
  const nspEnd = frame.readUInt32BE(NSP_AT);
  const rooms: string[] = [];
  let at = nspEnd;
  for (let n = 0; n < roomCount; n++) rooms.push(text.slice(at, (at += frame.readUInt32BE(FIXED_END + 4 * n))));
  if (at + frame.readUInt32BE(REST_AT) !== text.length) throw new RangeError("no event: its text has another length");
  const [except, flags] =
    at === text.length ? NOTHING_MORE : (JSON.parse(text.slice(at)) as [readonly string[], BroadcastFlags]);
  const bytes = frame.readUInt32BE(ARGS_BYTES_AT);
  const number = frame.readDoubleBE(NUMBER_AT);
  const nsp = text.slice(0, nspEnd);
  if (kind === DELIVERED) {
    const from = frame.readUInt32BE(FROM_AT);
    const event = { bytes, except, flags, rooms };
    const header = { t: "deliver", from, nsp, type: BROADCAST, bin: false, event } as const;
    return number === NONE ? header : { ...header, pos: number };
  }
  if (kind !== PUBLISHED) throw new RangeError(`no frame: kind ${kind}`);
  const event = { bytes, except, flags };
  const header = { t: "publish", nsp, type: BROADCAST, rooms, to: "members", bin: false, event } as const;
  return number === NONE ? header : { ...header, seq: number };
}

const NOTHING_MORE: readonly [readonly string[], BroadcastFlags] = [Object.freeze([]), Object.freeze({})];
