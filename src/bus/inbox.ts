/** What other servers say: each entry and request once, to the workers it concerns, unread where there is none. */
import type { Answering } from "./answering.js";
import { eachMessage } from "./bundle.js";
import {
  BROADCAST,
  decodeEntry,
  ownNumberOf,
  DISCONNECT_SOCKETS,
  FETCH_SOCKETS,
  payloadOf,
  routingOf,
  SERVER_SIDE_EMIT,
  SOCKETS_JOIN,
  SOCKETS_LEAVE,
  stockRouting,
  type Entry,
} from "./entry.js";
import type { Inbound, LocalSide, StreamLog } from "./local-side.js";
import { loggedEventOf } from "./logged-entry.js";
import type { LoggedEvent } from "../recovery/log-entry.js";
import { Sources } from "./sources.js";
import { encodePayload, holdsEvent } from "../link/payload.js";

export interface InboxOptions {
  /** Of this node. */
  readonly uid: string;
  readonly local: LocalSide;
  readonly answering: Answering;
  /** With recovery on. */
  readonly log: StreamLog | undefined;
  readonly now: () => number;
  /** An entry of this node has come back. */
  readonly onOwn: (n: number) => void;
  /** @param isExplained by a gap that the reader has told of */
  readonly onMissed: (messages: number, uid: string, isExplained: boolean) => void;
  /** A message of a bundle cannot be read. */
  readonly onSkipped: (id: string, error: unknown) => void;
  /** A stock server has written: one with an older adapter is not subscribed to anything. */
  readonly onStock: () => void;
}

/** A stock server's request, as it comes by pub/sub. */
interface StockRequest {
  readonly uid: string;
  readonly nsp: string;
  readonly type: number;
  readonly data: { readonly requestId?: string; readonly opts?: { readonly flags?: { readonly timeout?: number } } };
}

/** Passed on from the stream; requests come otherwise. */
const STREAMED = new Set([BROADCAST, SOCKETS_JOIN, SOCKETS_LEAVE, DISCONNECT_SOCKETS, SERVER_SIDE_EMIT]);
const REQUESTS = new Set([BROADCAST, FETCH_SOCKETS, SERVER_SIDE_EMIT]);
/** The official emitter writes, and reads nothing. */
const EMITTER_UID = "emitter";
/** What stock servers wait where their caller sets no timeout. */
const STOCK_TIMEOUT_MS = 5_000;
const EVERYONE: readonly string[] = [];
const NO_DATA: Buffer = Buffer.alloc(0);
/** Ids of entries without a number, kept against reading them twice after a rewind. */
const MAX_RECENT_IDS = 5_000;

export class Inbox {
  readonly #options: InboxOptions;
  readonly #uid: Buffer;
  readonly #sources = new Sources();
  readonly #recentIds = new Set<string>();

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#uid = Buffer.from(options.uid);
  }

  /** @throws Error where the entry cannot be read */
  onEntry(id: string, fields: readonly Buffer[]): void {
    const { log } = this.#options;
    // The log has to know where it stands in the stream.
    const own = log === undefined ? ownNumberOf(fields, this.#uid) : undefined;
    if (own !== undefined) {
      this.#options.onOwn(own);
      return;
    }
    const entry = decodeEntry(fields);
    eachMessage(
      entry,
      (message) => this.#onMessage(id, message),
      (error) => this.#options.onSkipped(id, error),
    );
  }

  #onMessage(id: string, entry: Entry): void {
    const { log, local } = this.#options;
    const { header, nsp, uid } = entry;
    if (uid === this.#options.uid) {
      if (header?.g !== undefined) log?.placed(header.g[0], id);
      if (header !== undefined) this.#options.onOwn(header.n);
      return;
    }
    if (!this.#isNew(id, entry)) return;
    if (header?.q !== undefined) {
      this.#onRequestEntry(entry, header.q);
      return;
    }
    if (header === undefined && uid !== EMITTER_UID) this.#options.onStock();
    if (nsp === undefined || !STREAMED.has(entry.type)) return;
    const logged = log && loggedEventOf(id, entry);
    if (local.isOpen(nsp)) this.#deliver(entry, nsp, logged);
    else if (logged !== undefined) log?.logged(logged);
  }

  /** Number of the last entry that was read of another node; 0 where none was. */
  lastOf(uid: string): number {
    return this.#sources.last(uid);
  }

  /** When that was; -Infinity where none was. */
  seenAtMs(uid: string): number {
    return this.#sources.seenAtMs(uid);
  }

  /** @throws Error where the request cannot be read */
  onRequest({ uid, nsp, type, data }: StockRequest): void {
    if (!REQUESTS.has(type)) throw new Error(`a request of an unknown type ${type}`);
    const { local } = this.#options;
    const { rooms, toOpen } = stockRouting(type, data);
    const { bin, body } = encodePayload(data);
    const wids = local.deliver({ nsp, type, bin, rooms, to: toOpen ? "open" : "members" }, body);
    // Also where the last worker has just closed the namespace: the asker has counted this node, and waits for its word.
    if (data.requestId === undefined) return;
    const timeoutMs = data.opts?.flags?.timeout ?? STOCK_TIMEOUT_MS;
    this.#options.answering.ask({ id: data.requestId, uid, nsp, type, timeoutMs, takesParts: false }, wids);
  }

  /** The reader has told of a gap: holes that come of it are no further ones. */
  explainHoles(): void {
    this.#sources.explain();
  }

  /** Forgets sources that have been silent for so long. */
  forget(silentMs: number): void {
    this.#sources.forget(this.#options.now() - silentMs);
  }

  #isNew(id: string, { uid, header }: Entry): boolean {
    if (header === undefined) {
      if (this.#recentIds.has(id)) return false;
      this.#recentIds.add(id);
      if (this.#recentIds.size > MAX_RECENT_IDS)
        for (const oldest of this.#recentIds) return this.#recentIds.delete(oldest);
      return true;
    }
    const missed = this.#sources.accept(uid, header.n, this.#options.now());
    if (missed > 0) this.#options.onMissed(missed, uid, this.#sources.isExplained);
    return missed >= 0;
  }

  #deliver(entry: Entry, nsp: string, logged: LoggedEvent | undefined): void {
    const { header } = entry;
    const isForMembers = header !== undefined && header.o !== 1;
    if (logged === undefined && isForMembers && this.#options.local.passOver(nsp, header.r ?? EVERYONE)) return;
    const { bin, body } = payloadOf(entry.data ?? NO_DATA);
    const inbound = inboundOf(entry, nsp, bin, logged);
    if (inbound.event !== undefined && (bin || !holdsEvent(body, inbound.event.bytes)))
      throw new Error("an event that is not where its header says");
    this.#options.local.deliver(inbound, body);
  }

  #onRequestEntry(entry: Entry, [id, nsp, timeoutMs]: readonly [string, string, number]): void {
    const { local, answering } = this.#options;
    if (!REQUESTS.has(entry.type) || entry.data === undefined) throw new Error("a request that cannot be read");
    if (!local.isOpen(nsp)) return;
    const { bin, body } = payloadOf(entry.data);
    const wids = local.deliver(inboundOf(entry, nsp, bin, undefined), body);
    answering.ask({ id, uid: entry.uid, nsp, type: entry.type, timeoutMs, takesParts: true }, wids);
  }
}

function inboundOf(entry: Entry, nsp: string, bin: boolean, logged: LoggedEvent | undefined): Inbound {
  const { rooms, joins, toOpen } = routingOf(entry);
  const event = entry.header?.e;
  return {
    nsp,
    type: entry.type,
    bin,
    rooms,
    to: toOpen ? "open" : "members",
    joins,
    event: event && { bytes: event[0], except: event[1], flags: event[2] },
    logged,
  };
}
