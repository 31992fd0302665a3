/**
 * The address inside an Engine.IO session id, and inside a Socket.IO socket's id: whoever sees one knows its owner without a table.
 *
 * A sid is 20 characters of [A-Za-z0-9_-], as stock ones are: two for the node (0 to 4095), one for the worker slot (0 to 63),
 * 17 random ones (102 bits).
 */
import { randomFillSync } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SID = /^[A-Za-z0-9_-]{20}$/;
const PREFIX_CHARS = 3;
const RANDOM_CHARS = 17;
const SID_CHARS = PREFIX_CHARS + RANDOM_CHARS;

export const MAX_NODES = 4096;
export const MAX_SLOTS = 64;

export interface Address {
  readonly node: number;
  readonly slot: number;
}

const VALUE = new Map([...ALPHABET].map((char, value) => [char, value]));
const charOf = (value: number): string => ALPHABET.charAt(value);
const valueOf = (char: string): number => VALUE.get(char) ?? 0;

/** The two characters every sid of a node begins with. */
export function nodePrefix(node: number): string {
  if (!Number.isInteger(node) || node < 0 || node >= MAX_NODES)
    throw new RangeError(`node ${node} is not within 0 to ${MAX_NODES - 1}`);
  return charOf(node >> 6) + charOf(node & 63);
}

/** The three characters every sid of a worker begins with. */
export function sidPrefix({ node, slot }: Address): string {
  if (!Number.isInteger(slot) || slot < 0 || slot >= MAX_SLOTS)
    throw new RangeError(`slot ${slot} is not within 0 to ${MAX_SLOTS - 1}`);
  return nodePrefix(node) + charOf(slot);
}

/** A new sid that begins with `prefix` (from {@link sidPrefix}). Each random character carries 6 bits from `crypto`. */
export function createSid(prefix: string): string {
  if (poolAt === pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  // Base64 for URLs has the same alphabet.
  const random = pool.toString("base64url", poolAt, (poolAt += RANDOM_BYTES));
  return prefix + random.slice(0, RANDOM_CHARS);
}

/** To ask for a few random bytes costs as much as for many. Whole ids, each used once. */
const RANDOM_BYTES = Math.ceil((RANDOM_CHARS * 6) / 8);
const pool = Buffer.alloc(128 * RANDOM_BYTES);
let poolAt = pool.length;

/**
 * The {@link sidPrefix} of the worker that gave the name, for one that has the form of its ids. Two names for sockets are never alike, so who knows the name
 * knows where the socket is; an app's own room of that form is taken for one, which costs a look at a worker that has nobody in it.
 */
export function namedBy(room: unknown): string | undefined {
  return typeof room === "string" && room.length === SID_CHARS ? room.slice(0, PREFIX_CHARS) : undefined;
}

/** Whether that is what {@link namedBy} says of the name. */
export function isNamedBy(prefix: string, room: unknown): boolean {
  return typeof room === "string" && room.length === SID_CHARS && room.startsWith(prefix);
}

/** The owner of a sid, or undefined where it is not of a sid's form. */
export function parseSid(sid: string): Address | undefined {
  if (!SID.test(sid)) return undefined;
  return { node: (valueOf(sid.charAt(0)) << 6) | valueOf(sid.charAt(1)), slot: valueOf(sid.charAt(2)) };
}
