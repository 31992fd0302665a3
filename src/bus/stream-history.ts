/**
 * What the stream holds and this node's log does not: entries from before the node began to listen, or that the log had no room for. Read in pages when
 * somebody who comes back needs them, once for all who come back at about the same time.
 */
import type { RedisConnection } from "../lib/redis.js";
import { compareIds } from "../lib/stream-id.js";
import type { LogEntry } from "../recovery/log-entry.js";
import { eachMessage } from "./bundle.js";
import { decodeEntry } from "./entry.js";
import { loggedEventOf } from "./logged-entry.js";
import { fieldsOf, infoOf, isNoStream, NO_STREAM, type RawEntry } from "./stream-info.js";

export interface StreamHistoryOptions {
  readonly redis: Pick<RedisConnection, "transaction">;
  readonly stream: string;
  /** Entries that hold more are not kept, and what is behind that many bytes counts as trimmed. */
  readonly maxBytes: number;
  readonly onSkipped: (id: string, error: unknown) => void;
  readonly now: () => number;
}

const PAGE_ENTRIES = 500;
/** Kept so long after it was last asked for. */
const KEEP_MS = 30_000;

/** The entries behind one id and up to another. */
interface Range {
  readonly after: string;
  readonly upTo: string;
  readonly byNamespace: ReadonlyMap<string, readonly LogEntry[]>;
  readonly bytes: number;
}

export class StreamHistory {
  readonly #options: StreamHistoryOptions;
  #range: Range | undefined;
  #loading: Promise<Range | "trimmed"> | undefined;
  #expiry: NodeJS.Timeout | undefined;

  constructor(options: StreamHistoryOptions) {
    this.#options = options;
  }

  /**
   * @param upTo the last id that is of use
   * @returns the namespace's entries behind `after`, oldest first, or that some are gone
   */
  async read(nsp: string, after: string, upTo: string): Promise<readonly LogEntry[] | "trimmed"> {
    if (compareIds(after, upTo) >= 0) return [];
    while (!covers(this.#range, after, upTo)) {
      const current = this.#loading;
      if (current !== undefined) {
        await current.catch(() => undefined);
        continue;
      }
      this.#loading = this.#load(after, upTo).finally(() => (this.#loading = undefined));
      if ((await this.#loading) === "trimmed") return "trimmed";
    }
    this.#keep();
    return this.#range?.byNamespace.get(nsp)?.filter(({ streamId = after }) => compareIds(streamId, after) > 0) ?? [];
  }

  stop(): void {
    clearTimeout(this.#expiry);
    this.#range = undefined;
  }

  #keep(): void {
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => (this.#range = undefined), KEEP_MS).unref();
  }

  async #load(after: string, upTo: string): Promise<Range | "trimmed"> {
    const { maxBytes } = this.#options;
    const last = this.#range;
    // What is there already is read again only where the new range begins before it.
    const known = last !== undefined && compareIds(last.after, after) <= 0 ? last : undefined;
    const byNamespace = new Map([...(known?.byNamespace ?? [])].map(([nsp, list]) => [nsp, [...list]]));
    let at = known?.upTo ?? after;
    let bytes = known?.bytes ?? 0;
    for (;;) {
      const page = await this.#page(at, upTo);
      if (page === "trimmed") return "trimmed";
      for (const raw of page) {
        for (const entry of this.#entriesOf(raw)) {
          bytes += entry.body.length;
          const list = byNamespace.get(entry.nsp);
          if (list === undefined) byNamespace.set(entry.nsp, [entry]);
          else list.push(entry);
        }
      }
      if (bytes > maxBytes) return "trimmed";
      const lastId = page.at(-1)?.[0].toString();
      if (lastId === undefined || page.length < PAGE_ENTRIES) break;
      at = lastId;
    }
    return (this.#range = { after: known?.after ?? after, upTo, byNamespace, bytes });
  }

  async #page(after: string, upTo: string): Promise<readonly RawEntry[] | "trimmed"> {
    const { redis, stream } = this.#options;
    let replies: unknown[];
    try {
      replies = await redis.transaction([
        ["XINFO", "STREAM", stream],
        ["XRANGE", stream, after, after],
        ["XRANGE", stream, `(${after}`, upTo, "COUNT", PAGE_ENTRIES],
      ]);
    } catch (error) {
      if (!isNoStream(error)) throw error;
      replies = [undefined, [], []];
    }
    const info = replies[0] === undefined ? NO_STREAM : infoOf(replies[0]);
    const isWhole =
      // What was received last is there still, so nothing behind it is gone.
      (replies[1] as unknown[]).length > 0 ||
      (info.firstId !== undefined && compareIds(info.firstId, after) <= 0) ||
      (info.added !== undefined && info.added > 0 && info.added === info.length);
    return isWhole ? (replies[2] as readonly RawEntry[]) : "trimmed";
  }

  #entriesOf(raw: RawEntry): readonly LogEntry[] {
    const id = raw[0].toString();
    const entries: LogEntry[] = [];
    const onUnreadable = (error: unknown): void => this.#options.onSkipped(id, error);
    try {
      eachMessage(
        decodeEntry(fieldsOf(raw)),
        (message) => {
          const event = loggedEventOf(id, message);
          // It was given no position here: none that a claim could cover.
          if (event) entries.push({ ...event, pos: Number.MAX_SAFE_INTEGER, atMs: this.#options.now() });
        },
        onUnreadable,
      );
    } catch (error) {
      onUnreadable(error);
    }
    return entries;
  }
}

function covers(range: Range | undefined, after: string, upTo: string): boolean {
  return range !== undefined && compareIds(range.after, after) <= 0 && compareIds(range.upTo, upTo) >= 0;
}
