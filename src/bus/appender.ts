/** What this node says in the stream: numbered without holes, bounded in bytes, and written in order. */
import type { RedisConnection } from "../lib/redis.js";
import { numbered, type HeaderText } from "../link/entry-header.js";
import type { Payload } from "../link/payload.js";
import type { DropReason } from "./bus-options.js";
import { encodeEntry } from "./entry.js";
import { gatherPace } from "./gathering.js";
import { Outbox } from "./outbox.js";
import { StreamWriter } from "./stream-writer.js";

export interface AppenderOptions {
  readonly uid: string;
  readonly redis: RedisConnection;
  readonly stream: string;
  readonly gatherMs: number;
  readonly maxOutboxBytes: number;
  readonly maxEntryBytes: number;
  readonly retentionMs: number;
  readonly now: () => number;
  readonly onAppended: (n: number) => void;
  /** A message was not taken. */
  readonly onDropped: (reason: DropReason) => void;
  /** As of {@link StreamWriter}. */
  readonly onFailure: (error: Error) => void;
  readonly onWritten: () => void;
}

export interface NewEntry {
  /** socket.io-adapter's MessageType. */
  readonly type: number;
  readonly header: HeaderText;
  /** Undefined: stock readers pass over it. */
  readonly nsp: string | undefined;
  readonly payload?: Payload;
  /** Somebody waits for an answer to it. */
  readonly isUrgent?: boolean;
}

export class Appender {
  readonly writer: StreamWriter;
  readonly #options: AppenderOptions;
  readonly #outbox: Outbox;
  #last = 0;

  constructor(options: AppenderOptions) {
    const { redis, stream, gatherMs, maxOutboxBytes, retentionMs, now, onFailure, onWritten } = options;
    this.#options = options;
    this.#outbox = new Outbox(maxOutboxBytes);
    this.writer = new StreamWriter({
      ...{ redis, stream, retentionMs, now, onFailure, onWritten },
      outbox: this.#outbox,
      pace: gatherPace(gatherMs, now),
    });
  }

  /** Number of the last entry; 0 before there is one. */
  get last(): number {
    return this.#last;
  }

  get waitingBytes(): number {
    return this.#outbox.bytes;
  }

  /** @returns whether it was taken */
  append({ type, header, nsp, payload, isUrgent }: NewEntry): boolean {
    const { uid, maxEntryBytes, onAppended, onDropped } = this.#options;
    const bytes = payload === undefined ? 0 : bytesOf(payload);
    if (bytes > maxEntryBytes || !this.#outbox.fits(bytes)) {
      onDropped(bytes > maxEntryBytes ? "too_large" : "outbox_full");
      return false;
    }
    const n = this.#last + 1;
    if (!this.#outbox.push(n, encodeEntry(uid, type, numbered(header, n), nsp, payload))) {
      onDropped("outbox_full");
      return false;
    }
    this.#last = n;
    onAppended(n);
    this.writer.appended(isUrgent);
    return true;
  }
}

/** As it stands in the stream: binary in base64. */
const bytesOf = ({ bin, body }: Payload): number => (bin ? Math.ceil(body.length / 3) * 4 : body.length);
