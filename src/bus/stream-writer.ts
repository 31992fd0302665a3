/**
 * Writes this node's entries to the stream: in order, one batch at a time, each batch whole or not at all (one command), and again until Redis has said
 * yes. An entry whose reply was lost is written twice, with the same number: readers drop the second.
 *
 * Where there is much to write it waits for more: a batch costs this node, Redis and every reader about as much as a lone entry.
 */
import { MIN_WAIT_MS, type Pace } from "../lib/pace.js";
import type { RedisConnection } from "../lib/redis.js";
import { idAt, timeOf } from "../lib/stream-id.js";
import { toError } from "../lib/to-error.js";
import { Turn } from "../lib/turn.js";
import { addAll } from "./add-all.js";
import type { Bundling } from "./bundling.js";
import { encodeEntry, type StreamEntry } from "./entry.js";
import type { Outbox } from "./outbox.js";

const MAX_BATCH_ENTRIES = 512;
const MAX_BATCH_BYTES = 1_048_576;
const MIN_RETRY_MS = 20;
const MAX_RETRY_MS = 1_000;
/** Failures in a row after which the connection is made anew: it may lead to a server that will never take a write again. */
const RESET_AFTER = 3;

export interface StreamWriterOptions {
  readonly redis: RedisConnection;
  readonly stream: string;
  readonly outbox: Outbox;
  /** How long to wait for more. */
  readonly pace: Pace;
  /** Entries older than this are trimmed. */
  readonly retentionMs: number;
  /** Undefined: each message is an entry of its own. */
  readonly bundling: Pick<Bundling, "watched" | "seen"> | undefined;
  readonly now: () => number;
  /** A batch has failed; it is kept and will be tried again. */
  readonly onFailure: (error: Error) => void;
  readonly onWritten: () => void;
}

export class StreamWriter {
  readonly #options: StreamWriterOptions;
  readonly #turn = new Turn();
  #busy = false;
  #stopped = false;
  #failures = 0;
  /** The next write waits for more until then, or for another try. */
  #timer: NodeJS.Timeout | undefined;
  #isGathering = false;
  #isUrgent = false;
  /** Entries since the last write. */
  #appended = 0;
  #wroteAtMs = -Infinity;
  #sentAtMs: number | undefined;
  /** Clock of Redis minus clock of this process, in ms; from the ids that Redis gives. */
  #clockOffsetMs: number | undefined;
  #idle: (() => void) | undefined;

  constructor(options: StreamWriterOptions) {
    this.#options = options;
  }

  /** How long the batch in flight has been waiting for its reply; 0 where none is. */
  get stalledMs(): number {
    return this.#sentAtMs === undefined ? 0 : this.#options.now() - this.#sentAtMs;
  }

  get failing(): boolean {
    return this.#failures > 0;
  }

  /** An entry was put into the outbox. @param isUrgent somebody waits for an answer to it: it leaves without a wait, and all before it */
  appended(isUrgent = false): void {
    this.#appended++;
    if (isUrgent) this.#isUrgent = true;
    this.wake();
  }

  /** Call when the connection is ready. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#busy) {
      if (!this.#isGathering || !this.#isUrgent) return;
      clearTimeout(this.#timer);
      this.#isGathering = false;
    }
    this.#busy = true;
    const waitMs = this.#waitMs;
    if (waitMs < MIN_WAIT_MS) {
      this.#turn.add(this);
      return;
    }
    this.#isGathering = true;
    this.#timer = setTimeout(() => this.endTurn(), waitMs);
  }

  endTurn(): void {
    this.#isGathering = false;
    void this.#write();
  }

  /** @returns once the outbox is empty or the time is over */
  async drained(timeoutMs: number): Promise<void> {
    if (this.#options.outbox.length === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#idle = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#isUrgent = true;
      this.wake();
    });
    this.#idle = undefined;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  get #waitMs(): number {
    const { pace, now } = this.#options;
    return this.#isUrgent ? 0 : pace.waitMs - (now() - this.#wroteAtMs);
  }

  async #write(): Promise<void> {
    const { outbox, pace, redis, now, onFailure, onWritten } = this.#options;
    // When it is ready again, it wakes this writer.
    while (outbox.length > 0 && !this.#stopped && redis.ready) {
      pace.note(this.#appended);
      this.#appended = 0;
      this.#isUrgent = this.#idle !== undefined;
      const batch = outbox.peek(MAX_BATCH_ENTRIES, MAX_BATCH_BYTES);
      this.#wroteAtMs = this.#sentAtMs = now();
      try {
        const lastId = await this.#add(batch);
        if (lastId !== undefined) this.#clockOffsetMs = timeOf(lastId) - now();
      } catch (error) {
        this.#sentAtMs = undefined;
        this.#failures++;
        if (this.#failures % RESET_AFTER === 0) redis.reset();
        onFailure(toError(error));
        if (error instanceof Error && /\bOOM\b/.test(error.message)) await this.#makeRoom();
        if (!this.#stopped) this.#retryLater();
        return;
      }
      this.#sentAtMs = undefined;
      this.#failures = 0;
      outbox.shift(batch.length);
      onWritten();
      const hasMore = outbox.length > 0 && outbox.length < MAX_BATCH_ENTRIES;
      if (hasMore && this.#waitMs >= MIN_WAIT_MS) {
        this.#busy = false;
        this.wake();
        return;
      }
    }
    this.#busy = false;
    if (outbox.length === 0) this.#idle?.();
  }

  #retryLater(): void {
    this.#timer = setTimeout(
      () => {
        this.#busy = false;
        this.#isUrgent = true;
        this.wake();
      },
      Math.min(MIN_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS),
    );
  }

  /** @returns the id of the last entry */
  async #add(entries: readonly StreamEntry[]): Promise<string | undefined> {
    const { redis, stream, bundling } = this.#options;
    const trimsTo = this.#trimsTo ?? "";
    const [first] = entries;
    let last: unknown;
    if (first !== undefined && entries.length === 1) {
      const trim = trimsTo === "" ? [] : ["MINID", "~", trimsTo];
      last = await redis.call("XADD", stream, ...trim, "*", ...encodeEntry(first));
    } else {
      const watched = bundling?.watched;
      const reply = (await redis.call("EVAL", ...addAll({ stream, trimsTo, entries, watched }))) as [unknown, number];
      last = reply[0];
      if (Number(reply[1]) === 2) bundling?.seen();
    }
    return typeof last === "string" ? last : undefined;
  }

  /**
   * Trims what is too old, else the work of the next XADD: which a full Redis refuses, so that one that this very stream has filled would stay
   * full for ever. XTRIM is not refused.
   */
  async #makeRoom(): Promise<void> {
    const { redis, stream, retentionMs, onFailure } = this.#options;
    try {
      const [seconds] = (await redis.call("TIME")) as [string, string];
      await redis.call("XTRIM", stream, "MINID", idAt(Number(seconds) * 1_000 - retentionMs));
    } catch (error) {
      onFailure(toError(error));
    }
  }

  get #trimsTo(): string | undefined {
    if (this.#clockOffsetMs === undefined) return undefined;
    const { retentionMs, now } = this.#options;
    return idAt(now() + this.#clockOffsetMs - retentionMs);
  }
}
