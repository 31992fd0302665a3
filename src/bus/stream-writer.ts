/**
 * Writes this node's entries to the stream: in order, one batch at a time, each batch whole or not at all (MULTI), and again until Redis has said
 * yes. An entry whose reply was lost is written twice, with the same number: readers drop the second.
 */
import type { RedisCommand, RedisConnection } from "../lib/redis.js";
import { toError } from "../lib/to-error.js";
import { Turn } from "../lib/turn.js";
import type { Outbox } from "./outbox.js";
import { idAt, timeOf } from "../lib/stream-id.js";

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
  /** Entries older than this are trimmed. */
  readonly retentionMs: number;
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
  #retry: NodeJS.Timeout | undefined;
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

  /** Call after entries were put into the outbox, and when the connection is ready. */
  wake(): void {
    if (this.#busy || this.#stopped) return;
    this.#busy = true;
    this.#turn.add(this);
  }

  endTurn(): void {
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
      this.wake();
    });
    this.#idle = undefined;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
  }

  async #write(): Promise<void> {
    const { outbox, redis, now, onFailure, onWritten } = this.#options;
    while (outbox.length > 0 && !this.#stopped) {
      // When it is ready again, it wakes this writer.
      if (!redis.ready) break;
      const batch = outbox.peek(MAX_BATCH_ENTRIES, MAX_BATCH_BYTES);
      this.#sentAtMs = now();
      try {
        const lastId = await this.#add(batch.map(({ fields }) => fields));
        if (lastId !== undefined) this.#clockOffsetMs = timeOf(lastId) - now();
      } catch (error) {
        this.#sentAtMs = undefined;
        this.#failures++;
        if (this.#failures % RESET_AFTER === 0) redis.reset();
        onFailure(toError(error));
        if (error instanceof Error && error.message.startsWith("OOM")) await this.#makeRoom();
        if (!this.#stopped)
          this.#retry = setTimeout(
            () => {
              this.#busy = false;
              this.wake();
            },
            Math.min(MIN_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS),
          );
        return;
      }
      this.#sentAtMs = undefined;
      this.#failures = 0;
      outbox.shift(batch.length);
      onWritten();
    }
    this.#busy = false;
    if (outbox.length === 0) this.#idle?.();
  }

  /** @returns the id of the last entry */
  async #add(entries: readonly (readonly (string | Buffer)[])[]): Promise<string | undefined> {
    const { redis, stream } = this.#options;
    const commands = entries.map((fields, i): RedisCommand => [
      "XADD",
      stream,
      ...(i === 0 ? this.#trim() : []),
      "*",
      ...fields,
    ]);
    const [first] = commands;
    const replies =
      commands.length === 1 && first !== undefined ? [await redis.call(...first)] : await redis.transaction(commands);
    const last = replies.at(-1);
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

  #trim(): string[] {
    if (this.#clockOffsetMs === undefined) return [];
    const { retentionMs, now } = this.#options;
    return ["MINID", "~", idAt(now() + this.#clockOffsetMs - retentionMs)];
  }
}
