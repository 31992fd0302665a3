/**
 * A claim says what a client has received: the offset behind each event's arguments, which a stock client keeps and brings back.
 *
 * It names, for each source, how far this client's worker had come when it wrote the event. A worker's clients get its own publications at once,
 * before the node's log knows them, and everything else in the order of the log; so a claim is the union of "everything of the log up to `pos`" and
 * "everything of worker `wid` up to `seq`", and it is exact wherever the connection is cut. Entries of other nodes are covered by the stream's ids.
 */
import { compareIds, isStreamId } from "../lib/stream-id.js";

export interface Claim {
  /** The primary's life that counted `pos` and `seq`. */
  readonly tag: string;
  /** Last position of that node's log which was delivered to the worker; 0: none. */
  readonly pos: number;
  /** The worker, and its own last publication; both 0 where no worker is meant. */
  readonly wid: number;
  readonly seq: number;
  /** Everything of the stream up to this id was delivered; undefined without Redis. */
  readonly streamId: string | undefined;
}

/** Where an entry comes from. */
export interface Origin {
  readonly tag: string;
  /** Its position in its own node's log. */
  readonly pos: number;
  readonly wid: number;
  /** Number of the publication at its worker. */
  readonly seq: number;
}

/** Of what came with a session from another node: from then on it is this node's, for what a client says of its former one does not speak of it. */
export const adoptedBy =
  (tag: string) =>
  (pos: number): Origin => ({ tag, pos, wid: 0, seq: Number.MAX_SAFE_INTEGER });

/** What a claim is compared with. */
export interface Claimable {
  /** Undefined for those of stock servers. */
  readonly origin: Origin | undefined;
  /** Position in this node's log; Number.MAX_SAFE_INTEGER: it does not stand there. */
  readonly pos: number;
  readonly streamId: string | undefined;
}

/** The offset of a client that has received nothing yet. */
export const NOTHING_RECEIVED = "";

const SEPARATOR = ".";
const MAX_TEXT = 128;
const TAG_BYTES = 6;
const TAG = /^[A-Za-z0-9_-]{8}$/;
const NUMBER = /^[0-9a-z]{1,11}$/;

/** @param uid of the primary's life, a random UUID. @returns 8 characters that stand for it in claims */
export function tagOf(uid: string): string {
  return Buffer.from(uid.replaceAll("-", ""), "hex").subarray(0, TAG_BYTES).toString("base64url");
}

export function encodeClaim({ tag, pos, wid, seq, streamId }: Claim): string {
  const text = `${tag}.${pos.toString(36)}.${wid.toString(36)}.${seq.toString(36)}`;
  return streamId === undefined ? text : text + SEPARATOR + streamId;
}

/** @returns undefined where the text is no claim; it comes from a client */
export function parseClaim(text: string): Claim | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const parts = text.split(SEPARATOR);
  const [tag = "", pos, wid, seq, streamId] = parts;
  const numbers = [pos, wid, seq].map(parseNumber);
  const isWhole = parts.length <= 5 && TAG.test(tag) && numbers.every((n) => n !== undefined);
  if (!isWhole || (streamId !== undefined && !isStreamId(streamId))) return undefined;
  const [p = 0, w = 0, s = 0] = numbers;
  return { tag, pos: p, wid: w, seq: s, streamId };
}

/** Whether a client with that claim has received the entry. @param tag of the node in whose log the entry stands */
export function received({ origin, pos, streamId }: Claimable, claim: Claim, tag: string): boolean {
  if (streamId !== undefined && claim.streamId !== undefined && compareIds(streamId, claim.streamId) <= 0) return true;
  if (claim.tag === tag && pos <= claim.pos) return true;
  if (origin === undefined || origin.tag !== claim.tag) return false;
  return origin.pos <= claim.pos || (origin.wid === claim.wid && origin.seq <= claim.seq);
}

/**
 * The claim that covers what both cover, for claims of one client and one tag. Where the workers differ, the one further in the log came later, and
 * what its predecessor had published stands in the log before it. Of two workers' claims at one position the later one may cover more: its worker's
 * own messages behind that position.
 *
 * @param first wins where both stand at the same position: what the client brought last
 */
export function mergeClaims(first: Claim, second: Claim): Claim {
  const streamId = laterStreamId(first.streamId, second.streamId);
  if (first.wid === second.wid)
    return { ...first, pos: Math.max(first.pos, second.pos), seq: Math.max(first.seq, second.seq), streamId };
  return { ...(first.pos < second.pos ? second : first), streamId };
}

export function laterStreamId(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareIds(a, b) < 0 ? b : a;
}

function parseNumber(text: string | undefined): number | undefined {
  if (text === undefined || !NUMBER.test(text)) return undefined;
  const value = Number.parseInt(text, 36);
  return Number.isSafeInteger(value) ? value : undefined;
}
