/** What an entry of the stream says beside its payload, as its publisher writes it. */
import type { BroadcastFlags } from "socket.io-adapter";
import { hasKeys } from "../lib/has-keys.js";
import type { EventHeader, Publish } from "./messages.js";
import type { EventOptions } from "./payload.js";

/** What limpet adds to an entry, as JSON in the field `l`; short names, because each entry carries it. */
export interface EntryHeader {
  /** Number of the entry at its source, from 1 on, without holes. */
  readonly n: number;
  /** Rooms it is for; absent: everyone in the namespace. */
  readonly r?: readonly string[];
  /** Of a plain event: length of the arguments' JSON in `data`, rooms left out, flags. */
  readonly e?: readonly [bytes: number, except: readonly string[], flags: BroadcastFlags];
  /** Of a message that clients are given later where they were away: its place in the source's log, its publisher there, its number at that one. */
  readonly g?: readonly [pos: number, wid: number, seq: number];
  /** With `g`, where there is no `e`: rooms left out. */
  readonly x?: readonly string[];
  /** Rooms that the receivers' sockets are about to join because of it. */
  readonly j?: readonly string[];
  /** For every server with the namespace open, whoever is in it. */
  readonly o?: 1;
  /** Of a request: its id, its namespace, and the milliseconds its sender waits. */
  readonly q?: readonly [id: string, nsp: string, timeoutMs: number];
}

/** The header of an entry whose number is not known yet, as JSON: {@link numbered} adds that. */
export type HeaderText = string;

type Routed = Pick<Publish, "rooms" | "joins" | "to" | "seq" | "except"> & { readonly event?: EventHeader | undefined };

/**
 * @param place where it stands in the node's log, if it does, and who published it
 * @param request of which it is one
 */
export function headerTextOf(
  { rooms, event, joins, to, seq, except }: Routed,
  place?: { readonly pos: number | undefined; readonly wid: number },
  request?: EntryHeader["q"],
): HeaderText {
  return JSON.stringify({
    r: rooms.length > 0 ? rooms : undefined,
    e: event && [event.bytes, event.except, event.flags],
    j: joins,
    o: to === "open" ? 1 : undefined,
    g: place?.pos === undefined || seq === undefined ? undefined : [place.pos, place.wid, seq],
    x: except,
    q: request,
  });
}

/**
 * The same of a plain event to members, which most entries are.
 * @param roomsText the rooms as JSON
 */
export function eventHeaderText(
  { rooms, except, flags }: EventOptions,
  argsBytes: number,
  roomsText: string,
): HeaderText {
  const to = rooms.length > 0 ? `"r":${roomsText},` : "";
  const not = except.length > 0 ? JSON.stringify(except) : "[]";
  return `{${to}"e":[${argsBytes},${not},${hasKeys(flags) ? JSON.stringify(flags) : "{}"}]}`;
}

/** What a header begins with: its number follows. */
export const NUMBER_START = '{"n":';
const NO_HEADER = "{}";

/** The header as it stands in the entry. */
export const numbered = (text: HeaderText, n: number): string =>
  text === NO_HEADER ? `${NUMBER_START}${n}}` : `${NUMBER_START}${n},${text.slice(1)}`;
