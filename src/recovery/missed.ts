/**
 * What a client has missed: messages for its rooms, behind its joins of them, that neither its offset nor its last sign of life covers. Each goes with a claim
 * that is true once the client has it, so that a connection that is cut in the middle of these loses nothing and repeats nothing.
 */
import { compareIds } from "../lib/stream-id.js";
import { laterStreamId, mergeClaims, received, type Claim } from "./claim.js";
import type { LogEntry } from "./log-entry.js";
import type { RoomLog } from "./room-log.js";
import type { SessionRecord } from "./session-record.js";

export interface MissedQuery {
  /** Of the node whose log it is. */
  readonly tag: string;
  readonly log: RoomLog;
  readonly session: Pick<SessionRecord, "nsp" | "rooms" | "since" | "life" | "former">;
  /** Unicasts that stand in the log up to here are left out. */
  readonly unicastsAfter: number;
  /** Undefined: the client has received nothing. */
  readonly offset: Claim | undefined;
  /** What the stream holds behind the client's claims and the log does not. */
  readonly history?: readonly LogEntry[];
  /** Bodies of more than so many bytes are too much. */
  readonly maxBytes: number;
}

export interface MissedEntry {
  readonly entry: LogEntry;
  /** What the client has received once it has this one. */
  readonly claim: Claim;
}

/** @returns in the order in which they are to be written; `trimmed`: something that may have been missed is not held any more */
export function missedBy(query: MissedQuery): readonly MissedEntry[] | "trimmed" | "too_large" {
  const { tag, log, session, unicastsAfter, offset, history, maxBytes } = query;
  const claims = [offset, session.life, session.since, ...session.former].filter((claim) => claim !== undefined);
  if (history === undefined && !claims.some((claim) => reachesLog(claim, query))) return "trimmed";

  const found = new Set<LogEntry>();
  const after = Math.max(0, ...claims.map((claim) => posOf(claim, tag)));
  const roomNames = new Set(session.rooms.map(([room]) => room));
  let bytes = 0;
  const take = (entries: Iterable<LogEntry>, joined: Claim): void => {
    for (const entry of entries) {
      if (bytes > maxBytes) return;
      if (entry.unicast && entry.pos <= unicastsAfter) continue;
      if (found.has(entry) || entry.except.some((room) => roomNames.has(room))) continue;
      if (received(entry, joined, tag) || claims.some((claim) => received(entry, claim, tag))) continue;
      found.add(entry);
      bytes += entry.body.length;
    }
  };
  for (const [room, joined] of [[undefined, session.since] as const, ...session.rooms]) {
    if (history !== undefined) take(history.filter(isFor(session.nsp, room)), joined);
    take(log.behind(session.nsp, room, Math.max(after, posOf(joined, tag))), joined);
  }
  if (bytes > maxBytes) return "too_large";
  return inOrder([...found], query, claims);
}

/** In the order of the log, where the client's claims speak of it; else in that of the stream, and then what the stream has not shown yet. */
function inOrder(entries: readonly LogEntry[], query: MissedQuery, claims: readonly Claim[]): MissedEntry[] {
  const { tag, log, offset, session } = query;
  const { tag: spokenOf } = offset ?? session.life ?? session.since;
  const base = baseOf(
    claims.filter((claim) => claim.tag === spokenOf),
    query,
  );
  let streamId = claims.map((claim) => claim.streamId).reduce(laterStreamId);
  if (spokenOf === tag) {
    return entries
      .toSorted((a, b) => a.pos - b.pos)
      .map((entry) => {
        // Of others all that the stream has before it came before it, and so did those of this node: these were here before they went there.
        if (entry.origin?.tag !== tag) streamId = laterStreamId(streamId, entry.streamId);
        return { entry, claim: { ...base, pos: entry.pos, streamId } };
      });
  }
  streamId = laterStreamId(streamId, log.streamId);
  return entries.toSorted(byStream).map((entry) => ({
    entry,
    claim:
      entry.streamId === undefined
        ? { tag, pos: entry.pos, wid: 0, seq: 0, streamId }
        : { ...base, streamId: entry.streamId },
  }));
}

/** What all claims of a tag cover. A sign of life may be younger than what the client brings, or older: where both stand at one position, the log tells. */
function baseOf(claims: readonly Claim[], { tag, log }: MissedQuery): Claim {
  const isAhead = (claim: Claim): boolean => claim.tag === tag && log.isBehind(claim);
  return claims.reduce((a, b) => (a.pos === b.pos && isAhead(b) ? mergeClaims(b, a) : mergeClaims(a, b)));
}

function byStream(a: LogEntry, b: LogEntry): number {
  if (a.streamId !== undefined && b.streamId !== undefined) return compareIds(a.streamId, b.streamId);
  if (a.streamId === undefined && b.streamId === undefined) return a.pos - b.pos;
  return a.streamId === undefined ? 1 : -1;
}

/** Whether everything that the claim does not cover is in the log still. */
function reachesLog({ tag, pos, streamId }: Claim, { tag: own, log }: MissedQuery): boolean {
  if (tag === own) return pos >= log.trimmedPos;
  const floor = log.streamFloor;
  return streamId !== undefined && floor !== undefined && compareIds(streamId, floor) >= 0;
}

const posOf = (claim: Claim, tag: string): number => (claim.tag === tag ? claim.pos : 0);

const isFor =
  (nsp: string, room: string | undefined) =>
  (entry: LogEntry): boolean =>
    entry.nsp === nsp && (room === undefined ? entry.rooms.length === 0 : entry.rooms.includes(room));
