/**
 * Entries of the stream that joins the nodes. They have the fields of @socket.io/redis-streams-adapter (`uid`, `nsp`, `type`, `data`), so that stock
 * servers and the official emitter can share it, and one of limpet's own, `l`, which stock readers pass over. Requests and greetings carry no
 * `nsp`: stock readers pass over the whole entry, and hear of requests by pub/sub.
 */
import { NUMBER_START, numbered, type EntryHeader, type HeaderText } from "../link/entry-header.js";
import { decodePayload, type Payload } from "../link/payload.js";

export interface Entry {
  readonly uid: string;
  /** Undefined for requests between limpet nodes and for greetings. */
  readonly nsp: string | undefined;
  /** socket.io-adapter's MessageType. */
  readonly type: number;
  readonly data: Buffer | undefined;
  /** Undefined for entries of stock servers and of the emitter. */
  readonly header: EntryHeader | undefined;
  /** Of several messages in one entry ({@link ./bundle.ts}); `nsp` is theirs. */
  readonly bundle?: Buffer | undefined;
}

/** An entry as its writer keeps it. */
export interface StreamEntry {
  readonly uid: string;
  /** Its number at its writer. */
  readonly n: number;
  readonly type: number;
  /** As JSON, with the number. */
  readonly header: string;
  readonly nsp: string | undefined;
  readonly data: string | Buffer | undefined;
}

/** What the reader needs to know to pass an entry on. */
export interface Routing {
  readonly rooms: readonly string[];
  readonly joins: readonly string[] | undefined;
  readonly toOpen: boolean;
}

/** Stock types whose receivers are the members of the rooms in `opts`. */
export const BROADCAST = 3;
export const SOCKETS_JOIN = 4;
export const SOCKETS_LEAVE = 5;
export const DISCONNECT_SOCKETS = 6;
export const FETCH_SOCKETS = 7;
export const FETCH_SOCKETS_RESPONSE = 8;
export const SERVER_SIDE_EMIT = 9;
export const SERVER_SIDE_EMIT_RESPONSE = 10;
export const BROADCAST_CLIENT_COUNT = 11;
export const BROADCAST_ACK = 12;

const JSON_START = 0x7b;

const [UID, NSP, TYPE, DATA, HEADER] = namesOf("uid", "nsp", "type", "data", "l");
const [BUNDLE, BUNDLE_NSP] = namesOf("b", "s");

function namesOf<T extends string[]>(...names: T): { [I in keyof T]: Buffer } {
  return names.map((name) => Buffer.from(name)) as { [I in keyof T]: Buffer };
}

function is(name: Buffer, expected: Buffer): boolean {
  if (name.length !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (name[i] !== expected[i]) return false;
  return true;
}

/** Up to this size a payload goes into the command as text: all of it is written as one then. */
const TEXT_BELOW_BYTES = 4096;

export function streamEntry(
  uid: string,
  n: number,
  {
    type,
    header,
    nsp,
    payload,
  }: { type: number; header: HeaderText; nsp: string | undefined; payload?: Payload | undefined },
): StreamEntry {
  return { uid, n, type, header: numbered(header, n), nsp, data: payload && dataOf(payload) };
}

/** The arguments of XADD behind the id. */
export function encodeEntry({ uid, type, header, nsp, data }: StreamEntry): (string | Buffer)[] {
  const fields: (string | Buffer)[] = ["uid", uid];
  if (nsp !== undefined) fields.push("nsp", nsp);
  fields.push("type", String(type));
  if (data !== undefined) fields.push("data", data);
  fields.push("l", header);
  return fields;
}

function dataOf({ bin, body }: Payload): string | Buffer {
  if (bin) return body.toString("base64");
  return body.length <= TEXT_BELOW_BYTES ? body.toString() : body;
}

/**
 * @param fields names and values in turn, as XREAD returns them
 * @throws Error where it is no entry of this stream
 */
export function decodeEntry(fields: readonly Buffer[]): Entry {
  let uid: string | undefined;
  let nsp: string | undefined;
  let type = 0;
  let data: Buffer | undefined;
  let header: EntryHeader | undefined;
  let bundle: Buffer | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [name, value] = [fields[i], fields[i + 1]];
    if (name === undefined || value === undefined) break;
    // By bytes: each entry has them, and text of each name would cost more than all else here.
    if (is(name, DATA)) data = value;
    else if (is(name, HEADER)) header = parseHeader(value);
    else if (is(name, UID)) uid = value.toString();
    else if (is(name, NSP) || is(name, BUNDLE_NSP)) nsp = value.toString();
    else if (is(name, TYPE)) type = Number.parseInt(value.toString("latin1"), 10);
    else if (is(name, BUNDLE)) bundle = value;
  }
  if (uid === undefined || !Number.isInteger(type)) throw new Error("an entry without uid or type");
  return { uid, nsp, type, data, header, bundle };
}

const DIGITS_AT = NUMBER_START.length;
const [DIGIT_0, DIGIT_9] = [0x30, 0x39];

/**
 * Of an entry that this node has written itself: all that has to be known of it, most of the time. Half of what is read may be such.
 * @param fields as of {@link decodeEntry}
 * @returns its number; undefined where it is another's, or must be decoded after all
 */
export function ownNumberOf(fields: readonly Buffer[], uid: Buffer): number | undefined {
  const [name, value] = fields;
  if (name === undefined || value === undefined || !is(name, UID) || !is(value, uid)) return undefined;
  const header = fields.at(-1);
  let n = 0;
  for (let at = DIGITS_AT; ; at++) {
    const byte = header?.[at] ?? 0;
    if (byte < DIGIT_0 || byte > DIGIT_9) break;
    n = n * 10 + byte - DIGIT_0;
  }
  return n > 0 ? n : undefined;
}

/** The entry's payload as workers take it. */
export function payloadOf(data: Buffer): Payload {
  return data[0] === JSON_START
    ? { bin: false, body: data }
    : { bin: true, body: Buffer.from(data.toString("latin1"), "base64") };
}

/** @throws Error where an entry without limpet's header holds no options */
export function routingOf({ type, header, data }: Entry): Routing {
  if (header !== undefined) return { rooms: header.r ?? [], joins: header.j, toOpen: header.o === 1 };
  // No rooms stand in a word to servers: it need not be read.
  const isRead = type !== SERVER_SIDE_EMIT && data !== undefined;
  return stockRouting(type, isRead ? decodePayload(payloadOf(data)) : undefined);
}

/** @param data payload of a stock ClusterMessage that has options. @throws Error where it has none */
export function stockRouting(type: number, data: unknown): Routing {
  if (type === SERVER_SIDE_EMIT) return { rooms: [], joins: undefined, toOpen: true };
  const { opts, rooms } = (data ?? {}) as { opts?: { rooms?: unknown; except?: unknown }; rooms?: unknown };
  if (!isRooms(opts?.rooms) || !isRooms(opts.except ?? [])) throw new Error("an entry whose options cannot be read");
  const joins = type === SOCKETS_JOIN ? rooms : undefined;
  if (joins !== undefined && !isRooms(joins)) throw new Error("an entry whose rooms cannot be read");
  return { rooms: opts.rooms, joins, toOpen: false };
}

const isRooms = (value: unknown): value is string[] => Array.isArray(value);

const isEvent = (value: unknown): boolean => {
  if (!Array.isArray(value)) return false;
  const [bytes, except, flags] = value as unknown[];
  return Number.isInteger(bytes) && isRooms(except) && typeof flags === "object" && flags !== null;
};

/** Anybody can write to the stream: what the code relies on is looked at. @throws Error where it is no header */
export function parseHeader(text: Buffer): EntryHeader {
  const header = JSON.parse(text.toString()) as EntryHeader;
  const valid =
    Number.isSafeInteger(header.n) &&
    (header.r === undefined || isRooms(header.r)) &&
    (header.j === undefined || isRooms(header.j)) &&
    (header.e === undefined || isEvent(header.e)) &&
    (header.g === undefined || (Array.isArray(header.g) && header.g.every(Number.isSafeInteger))) &&
    (header.x === undefined || isRooms(header.x)) &&
    (header.q === undefined || (Array.isArray(header.q) && typeof header.q[1] === "string"));
  if (!valid) throw new Error("an entry whose header cannot be read");
  return header;
}
