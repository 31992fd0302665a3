/**
 * Reads the stream from a fixed id on, entry by entry, whatever happens to the connection or to Redis: it remembers where it was, compares that
 * with what the stream holds each time it comes back, and tells what is missing.
 */
import { Pace } from "../lib/pace.js";
import type { RedisConnection } from "../lib/redis.js";
import { toError } from "../lib/to-error.js";
import { compareIds, FIRST_ID, idAt, timeOf } from "../lib/stream-id.js";
import { entriesOf, fieldsOf, infoOf, isNoStream, NO_STREAM, type RawEntry, type StreamInfo } from "./stream-info.js";

const BLOCK_MS = 5_000;
const MAX_COUNT = 200;
/** Above it the next read asks for fewer entries. */
const MAX_REPLY_BYTES = 8_388_608;
/** An answer that is later than the time it may block is an outage. */
const OVERDUE_MS = 2_000;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;
/** How far a reader goes back when the stream is not the one it knew: entries it has seen are dropped by their numbers. */
const REWIND_MS = 10_000;
/** A reader that does not catch up looks for trimmed entries so often. */
const CHECK_MS = 1_000;
/** Under heavy traffic a read waits so long, and brings what came meanwhile: reading costs as much as several entries. */
const GATHER_MS = 4;
/** Fewer are not worth the wait: with three a wait saves no CPU, for a timer wakes the process as well. */
const MIN_GATHERED = 8;

/** `trimmed`: entries were gone before they were read. `rewound`: the stream's history is not the one that was read (a fail-over, an empty restart). */
export type GapCause = "trimmed" | "rewound";

export interface StreamReaderOptions {
  readonly redis: RedisConnection;
  readonly stream: string;
  readonly now: () => number;
  /** From now on nothing that is written is missed. */
  readonly onPositioned: () => void;
  /** @param fields names and values in turn. What it throws skips the entry. */
  readonly onEntry: (id: string, fields: readonly Buffer[]) => void;
  readonly onSkipped: (id: string, error: unknown) => void;
  /** @param entries how many are missing, where it is known */
  readonly onGap: (cause: GapCause, entries: number | undefined) => void;
  /** Everything up to this id has been handed over: after each batch, and at first before there is any. */
  readonly onReached: (id: string) => void;
  readonly onFailure: (error: Error) => void;
}

export class StreamReader {
  readonly #options: StreamReaderOptions;
  readonly #startedAtMs: number;
  #position: string | undefined;
  /** Entries that the stream had been given up to the position. */
  #added: number | undefined;
  #checkedAtMs = -Infinity;
  #mustCheck = true;
  #isBehind = true;
  #count = MAX_COUNT;
  #failures = 0;
  /** Since when an answer is waited for. */
  #askedAtMs: number | undefined;
  #hasReplied = false;
  #stopped = false;
  #wake: (() => void) | undefined;
  readonly #pace: Pace;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
    this.#startedAtMs = options.now();
    this.#pace = new Pace({ maxMs: GATHER_MS, min: MIN_GATHERED, enough: Infinity, now: options.now });
  }

  /** Id of the last entry that was handed over, or where the reader began; undefined before that is known. */
  get position(): string | undefined {
    return this.#position;
  }

  /** Whether there may be entries that wait to be read. */
  get behind(): boolean {
    return this.#isBehind;
  }

  /** How long the answer to a read is overdue; 0 where it is not. */
  get overdueMs(): number {
    const { redis, now } = this.#options;
    if (!redis.ready || this.#askedAtMs === undefined) return 0;
    return Math.max(0, now() - this.#askedAtMs - BLOCK_MS);
  }

  /** Whether it hears the stream now: a blocking read is open, or answers come. */
  get healthy(): boolean {
    return this.#options.redis.ready && this.#failures === 0 && this.#hasReplied && this.overdueMs < OVERDUE_MS;
  }

  /** Runs until it is stopped. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      try {
        if (!this.#options.redis.ready) {
          await this.#pause(MAX_RETRY_MS);
          continue;
        }
        this.#askedAtMs = this.#options.now();
        if (this.#mustCheck) await this.#checkedRead();
        else await this.#read();
        this.#failures = 0;
        this.#hasReplied = true;
        if (this.#isWorthGathering) await this.#pause(GATHER_MS);
      } catch (error) {
        if (this.#stopped) return;
        this.#askedAtMs = undefined;
        this.#isBehind = true;
        this.#mustCheck = true;
        this.#failures++;
        this.#options.onFailure(toError(error));
        await this.#pause(Math.min(MIN_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS));
      }
    }
  }

  /** The connection is ready again. */
  wake(): void {
    this.#wake?.();
  }

  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  get #isWorthGathering(): boolean {
    return !this.#stopped && !this.#isBehind && !this.#mustCheck && this.#pace.waitMs > 0;
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  async #read(): Promise<void> {
    const { redis, stream } = this.#options;
    const count = this.#count;
    const args = ["BLOCK", BLOCK_MS, "COUNT", count, "STREAMS", stream, this.#position ?? FIRST_ID];
    const entries = entriesOf(await redis.callBuffer("XREAD", ...args));
    this.#isBehind = entries.length === count;
    this.#take(entries);
    if (entries.length === count && this.#options.now() - this.#checkedAtMs > CHECK_MS) this.#mustCheck = true;
  }

  /** Reads without waiting, and learns in the same instant what the stream holds. */
  async #checkedRead(): Promise<void> {
    const { redis, stream, now } = this.#options;
    if (this.#position === undefined) {
      this.#position = await this.#firstPosition();
      this.#options.onReached(this.#position);
      this.#options.onPositioned();
    }
    const position = this.#position;
    let replies: unknown[];
    try {
      replies = await redis.transaction([
        ["XINFO", "STREAM", stream],
        ["XRANGE", stream, position, position],
        ["XREAD", "COUNT", this.#count, "STREAMS", stream, position],
      ]);
    } catch (error) {
      if (!isNoStream(error)) throw error;
      replies = [undefined, [], null];
    }
    const info = replies[0] === undefined ? NO_STREAM : infoOf(replies[0]);
    const entries = entriesOf(replies[2]);
    this.#checkedAtMs = now();
    if (this.#isOtherHistory(info, position, (replies[1] as unknown[]).length > 0)) {
      this.#position = earlier(info.lastId, idAt(timeOf(position) - REWIND_MS));
      this.#added = undefined;
      this.#options.onGap("rewound", undefined);
      return;
    }
    if (info.added !== undefined && this.#added !== undefined) {
      // Entries that are out of the stream, against those that were read.
      const missing = info.added - info.length - this.#added;
      if (missing > 0) this.#options.onGap("trimmed", missing);
      this.#added += Math.max(0, missing);
    } else if (info.added !== undefined && entries.length < this.#count) {
      this.#added = info.added - entries.length;
    }
    // Until it has caught up after a rewind it does not know how many entries there should be, and would take another history for this one.
    this.#mustCheck = info.added !== undefined && this.#added === undefined;
    this.#take(entries);
  }

  /** The stream may have been lost and made anew, or a replica that knew less of it may be its master now. */
  #isOtherHistory({ lastId, firstId }: StreamInfo, position: string, hasPosition: boolean): boolean {
    if (compareIds(lastId, position) < 0) return true;
    // Not trimmed, and not there: what was read at the position is no part of this stream.
    return this.#added !== undefined && !hasPosition && firstId !== undefined && compareIds(firstId, position) <= 0;
  }

  /** Where the stream is now; or, for a node that started before it could reach Redis, where it was then. */
  async #firstPosition(): Promise<string> {
    const { redis, stream, now } = this.#options;
    const lastId = await redis.call("XINFO", "STREAM", stream).then(
      (reply) => infoOf(reply).lastId,
      (error: unknown) => {
        if (isNoStream(error)) return FIRST_ID;
        throw error;
      },
    );
    const time = (await redis.call("TIME")) as [string, string];
    const elapsedMs = now() - this.#startedAtMs;
    return earlier(lastId, idAt(Number(time[0]) * 1_000 + Number(time[1]) / 1_000 - elapsedMs));
  }

  #take(entries: readonly RawEntry[]): void {
    const { onEntry, onSkipped } = this.#options;
    let bytes = 0;
    for (const raw of entries) {
      const id = raw[0].toString();
      const fields = fieldsOf(raw);
      for (const field of fields) bytes += field.length;
      try {
        onEntry(id, fields);
      } catch (error) {
        onSkipped(id, error);
      }
      this.#position = id;
    }
    this.#pace.note(entries.length);
    if (this.#position !== undefined && entries.length > 0) this.#options.onReached(this.#position);
    if (this.#added !== undefined) this.#added += entries.length;
    if (bytes > MAX_REPLY_BYTES) this.#count = Math.max(1, this.#count >> 1);
    else if (this.#count < MAX_COUNT) this.#count = Math.min(MAX_COUNT, this.#count * 2);
  }
}

const earlier = (a: string, b: string): string => (compareIds(a, b) < 0 ? a : b);
