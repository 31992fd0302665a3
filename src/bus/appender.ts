/** What this node says in the stream: numbered without holes, bounded in bytes, and written in order. */
import type { HeaderText } from "../link/entry-header.js";
import type { Payload } from "../link/payload.js";
import type { DropReason } from "./bus-options.js";
import { streamEntry } from "./entry.js";
import { gatherPace } from "./gathering.js";
import { Outbox } from "./outbox.js";
import { StreamWriter, type StreamWriterOptions } from "./stream-writer.js";

export interface AppenderOptions extends Omit<StreamWriterOptions, "outbox" | "pace"> {
  readonly uid: string;
  readonly gatherMs: number;
  readonly maxOutboxBytes: number;
  readonly maxEntryBytes: number;
  readonly onAppended: (n: number) => void;
  /** A message was not taken. */
  readonly onDropped: (reason: DropReason) => void;
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
    this.#options = options;
    this.#outbox = new Outbox(options.maxOutboxBytes);
    const pace = gatherPace(options.gatherMs, options.now);
    this.writer = new StreamWriter({ ...options, outbox: this.#outbox, pace });
  }

  /** Number of the last entry; 0 before there is one. */
  get last(): number {
    return this.#last;
  }

  get waitingBytes(): number {
    return this.#outbox.bytes;
  }

  /** @returns whether it was taken */
  append(entry: NewEntry): boolean {
    const { uid, maxEntryBytes, onAppended, onDropped } = this.#options;
    const { payload, isUrgent } = entry;
    const bytes = payload === undefined ? 0 : bytesOf(payload);
    if (bytes > maxEntryBytes || !this.#outbox.fits(bytes)) {
      onDropped(bytes > maxEntryBytes ? "too_large" : "outbox_full");
      return false;
    }
    const n = this.#last + 1;
    if (!this.#outbox.push(streamEntry(uid, n, entry))) {
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
