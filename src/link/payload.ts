/**
 * The body of a cluster message on the wire, as the stock streams adapter writes it: JSON, or MessagePack where binary is inside. Either way
 * another worker hands its clients what this one hands its own.
 */
import { decode, encode } from "@msgpack/msgpack";
import type { BroadcastFlags } from "socket.io-adapter";
import { hasBinary } from "../lib/has-binary.js";
import { hasKeys } from "../lib/has-keys.js";

export interface Payload {
  readonly bin: boolean;
  readonly body: Buffer;
}

/** @throws TypeError or RangeError where a value cannot be serialised: a BigInt, a cycle */
export function encodePayload(data: object): Payload {
  if (!hasBinary(data)) return { bin: false, body: Buffer.from(JSON.stringify(data)) };
  return { bin: true, body: packMessage(data) };
}

/** Who gets an event, and how: as a ClusterMessage says it. */
export interface EventOptions {
  readonly rooms: readonly string[];
  readonly except: readonly string[];
  readonly flags: BroadcastFlags;
}

const EVENT_PREFIX = '{"packet":{"type":2,"data":';

/** Where the arguments of {@link encodeEvent} begin, in bytes. */
export const EVENT_ARGS_AT = EVENT_PREFIX.length;

/**
 * The body of a plain event's broadcast, as text, with the arguments' JSON as it is. Of its options none that is empty: Socket.IO's adapters take them as
 * such where they are missing, and every server of the fleet is sent them.
 * @param args the event's name and arguments, as a JSON array
 * @param roomsText the rooms as JSON, where that is known
 */
export function encodeEvent(
  args: string,
  nsp: string,
  { rooms, except, flags }: Partial<EventOptions>,
  roomsText = rooms && JSON.stringify(rooms),
): string {
  const hasExcept = except !== undefined && except.length > 0;
  const hasFlags = flags !== undefined && hasKeys(flags);
  let opts = roomsText === undefined ? "{}" : `{"rooms":${roomsText}}`;
  if (hasExcept || hasFlags)
    opts = JSON.stringify({ rooms, except: hasExcept ? except : undefined, flags: hasFlags ? flags : undefined });
  return `${EVENT_PREFIX}${args},"nsp":${nsp === "/" ? '"/"' : JSON.stringify(nsp)}},"opts":${opts}}`;
}

/** As much of {@link encodeEvent} as a worker reads that gets it past the primary. */
export const encodeEventArgs = (args: string): string => EVENT_PREFIX + args;

const LIST_START = 0x5b;
const LIST_END = 0x5d;

/** Whether a list of so many bytes stands where the arguments of {@link encodeEvent} do; what is in it is not looked at. */
export function holdsEvent(body: Buffer, argsBytes: number): boolean {
  return body[EVENT_ARGS_AT] === LIST_START && body[EVENT_ARGS_AT + argsBytes - 1] === LIST_END;
}

/** Binary comes out as Buffers over `body`. */
export function decodePayload({ bin, body }: Payload): unknown {
  return bin ? decode(body) : (JSON.parse(body.toString()) as unknown);
}

/** A whole cluster message or response, as the stock streams adapter publishes it. */
export function packMessage(message: object): Buffer {
  // Without a bound on the depth: what Socket.IO can send, another worker must be able to read.
  const bytes = encode(toPackable(message), { maxDepth: Infinity });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @throws Error where the bytes are no MessagePack */
export function unpackMessage(bytes: Buffer): unknown {
  return decode(bytes);
}

/**
 * What Socket.IO's encoder makes of a value that holds binary: own properties, no functions, nothing undefined, no key `__proto__` (which
 * MessagePack's decoder refuses). Views and Buffers stay as they are.
 */
function toPackable(value: unknown): unknown {
  if (typeof value === "function" || typeof value === "symbol") return undefined;
  if (typeof value === "bigint") throw new TypeError("Do not know how to serialize a BigInt");
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Date) return value.toJSON();
  if (Array.isArray(value)) return value.map(toPackable);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const packable = key === "__proto__" ? undefined : toPackable((value as Record<string, unknown>)[key]);
    if (packable !== undefined) copy[key] = packable;
  }
  return copy;
}
