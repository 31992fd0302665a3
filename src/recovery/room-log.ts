/**
 * The node's log: what its clients can be given later, in the order in which the node had it, indexed by room. It keeps what is younger than its
 * retention, and less where that would take more bytes than it may.
 */
import { laterStreamId, type Claim, type Origin } from "./claim.js";
import { Fifo } from "./fifo.js";
import type { LogEntry, LoggedEvent } from "./log-entry.js";
import { RoomIndex } from "./room-index.js";
import { Slabs } from "./slabs.js";

export interface RoomLogOptions {
  readonly retentionMs: number;
  readonly maxBytes: number;
}

/** What an entry costs besides its body and its rooms, by measurement. */
const ENTRY_BYTES = 750;

const ROOM_BYTES = 64;

interface Entry extends Omit<LogEntry, "streamId"> {
  streamId: string | undefined;
}

export class RoomLog {
  readonly #options: RoomLogOptions;
  readonly #entries = new Fifo<Entry>();
  readonly #index = new RoomIndex();
  readonly #slabs = new Slabs();
  #pos = 0;
  #bytes = 0;
  #streamId: string | undefined;
  #streamFloor: string | undefined;

  constructor(options: RoomLogOptions) {
    this.#options = options;
  }

  /** Position of the last entry; 0: there was none. */
  get pos(): number {
    return this.#pos;
  }

  /** Positions up to this one are not held any more. */
  get trimmedPos(): number {
    return this.#pos - this.#entries.length;
  }

  /** Everything that the stream holds up to here is in the log, or was, or is for no namespace of this node. */
  get streamId(): string | undefined {
    return this.#streamId;
  }

  /** Everything of the stream behind this and up to `streamId` is held; undefined: nothing is known of the stream. */
  get streamFloor(): string | undefined {
    return this.#streamFloor;
  }

  get entryCount(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param event its body is copied
   * @param origin of another node's entry; else the own one is made from the position by `own`
   */
  append(
    event: Omit<LoggedEvent, "origin">,
    origin: Origin | ((pos: number) => Origin) | undefined,
    nowMs: number,
  ): LogEntry {
    const pos = ++this.#pos;
    const entry: Entry = {
      ...event,
      body: this.#slabs.keep(event.body),
      origin: typeof origin === "function" ? origin(pos) : origin,
      pos,
      atMs: nowMs,
    };
    this.#entries.push(entry);
    this.#index.add(entry.nsp, entry.rooms, pos);
    this.#bytes += bytesOf(entry);
    if (entry.streamId !== undefined) this.#streamId = laterStreamId(this.#streamId, entry.streamId);
    this.trim(nowMs);
    return entry;
  }

  /** The stream has been read up to there, and what it holds for this node was appended; first where the reader begins. */
  reached(id: string): void {
    this.#streamFloor ??= id;
    this.#streamId = laterStreamId(this.#streamId, id);
  }

  /** An own entry has come back through the stream. */
  shown(pos: number, streamId: string): void {
    const entry = this.#entryAt(pos);
    if (entry !== undefined) entry.streamId = streamId;
    this.#streamId = laterStreamId(this.#streamId, streamId);
  }

  trim(nowMs: number): void {
    const { retentionMs, maxBytes } = this.#options;
    for (let oldest = this.#entries.at(0); oldest !== undefined; oldest = this.#entries.at(0)) {
      if (this.#bytes <= maxBytes && nowMs - oldest.atMs <= retentionMs) return;
      this.#entries.shift();
      this.#index.removeOldest(oldest.nsp, oldest.rooms, oldest.pos);
      this.#bytes -= bytesOf(oldest);
      if (oldest.streamId !== undefined) this.#streamFloor = laterStreamId(this.#streamFloor, oldest.streamId);
    }
  }

  /** Entries to the room behind that position, in order; `undefined`: those to everyone in the namespace. */
  *behind(nsp: string, room: string | undefined, after: number): Iterable<LogEntry> {
    for (const pos of this.#index.behind(nsp, room, after)) {
      const entry = this.#entryAt(pos);
      if (entry !== undefined) yield entry;
    }
  }

  /** Whether the log has come to stand behind the claim: a message that its worker's own clients had before the log stands behind its position. */
  isBehind({ tag, pos, wid, seq }: Claim): boolean {
    for (let at = Math.max(pos, this.trimmedPos) + 1; at <= this.#pos; at++) {
      const origin = this.#entryAt(at)?.origin;
      // The numbers of a worker grow along the log: its first one decides.
      if (origin?.tag === tag && origin.wid === wid) return origin.seq <= seq;
    }
    return false;
  }

  #entryAt(pos: number): Entry | undefined {
    return this.#entries.at(pos - this.trimmedPos - 1);
  }
}

function bytesOf({ body, rooms, except }: LogEntry): number {
  return ENTRY_BYTES + body.length + (rooms.length + except.length) * ROOM_BYTES;
}
