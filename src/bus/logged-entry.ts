/** An entry of the stream as the log keeps it: what clients are given later where they were away. */
import { decodePayload, holdsEvent } from "../link/payload.js";
import { tagOf, type Origin } from "../recovery/claim.js";
import type { LoggedEvent } from "../recovery/log-entry.js";
import { BROADCAST, payloadOf, type Entry } from "./entry.js";

/** Socket.IO's type of a packet that is an event. */
const EVENT = 2;

/** Of the last few nodes: each entry asks for one. */
const tags = new Map<string, string>();
const MAX_TAGS = 256;

/** @returns where the entry stands at its node; undefined for those of stock servers, and for what is not given later */
export function originOf({ uid, header }: Entry): Origin | undefined {
  if (header?.g === undefined) return undefined;
  const [pos, wid, seq] = header.g;
  let tag = tags.get(uid);
  if (tag === undefined) {
    if (tags.size >= MAX_TAGS) tags.clear();
    tags.set(uid, (tag = tagOf(uid)));
  }
  return { tag, pos, wid, seq };
}

/**
 * Entries of stock servers, and those of nodes without recovery that hold binary, are decoded for it.
 *
 * @returns undefined for what is not given later: volatile events, those with ack, everything else than events
 * @throws Error where the entry cannot be read
 */
export function loggedEventOf(id: string, entry: Entry): LoggedEvent | undefined {
  const { nsp, type, header, data } = entry;
  if (nsp === undefined || type !== BROADCAST || data === undefined) return undefined;
  const origin = originOf(entry);
  const common = { nsp, origin, streamId: id, unicast: false };
  if (header?.e !== undefined) {
    const [argsBytes, except, flags] = header.e;
    if (!holdsEvent(data, argsBytes)) throw new Error("an event that is not where its header says");
    if (flags.volatile === true) return undefined;
    return { ...common, rooms: header.r ?? [], except, bin: false, argsBytes, body: data };
  }
  const payload = payloadOf(data);
  if (origin !== undefined)
    return { ...common, rooms: header?.r ?? [], except: header?.x ?? [], argsBytes: undefined, ...payload };
  const message = decodePayload(payload) as StockBroadcast;
  const { packet, opts } = message;
  if (packet?.type !== EVENT || packet.id !== undefined || opts?.flags?.volatile === true) return undefined;
  if (!Array.isArray(opts?.rooms) || !Array.isArray(opts.except ?? []))
    throw new Error("an entry whose options cannot be read");
  return { ...common, rooms: opts.rooms, except: opts.except ?? [], argsBytes: undefined, ...payload };
}

interface StockBroadcast {
  readonly packet?: { readonly type?: unknown; readonly id?: unknown };
  readonly opts?: {
    readonly rooms?: readonly string[];
    readonly except?: readonly string[];
    readonly flags?: { readonly volatile?: boolean };
  };
}
