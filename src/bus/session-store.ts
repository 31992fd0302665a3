/**
 * The sessions of this node, as Redis keeps them for the others: the last state of each, written at most once a second. A first change leaves with what follows
 * within a moment, the rooms that a new client joins say; what comes after that within the second is written once at its end.
 *
 * Nothing waits for it but who asks for that (`now`). While Redis is away the last state of each session waits here; Redis decides by generation
 * and owner whether a write still counts.
 */
import type { RedisArgument } from "../lib/redis-command.js";
import type { RedisConnection } from "../lib/redis.js";
import { toError } from "../lib/to-error.js";
import { RedisScript } from "./redis-script.js";
import { END, SAVE } from "./session-scripts.js";

/** What is to be written of one session. */
export type SessionWrite =
  | {
      readonly kind: "save";
      readonly generation: number;
      readonly nsp: string;
      /** Asked when it is sent. @throws where it cannot be encoded */
      readonly encode: () => Buffer;
      readonly ttlMs: number;
    }
  /** It lives. */
  | { readonly kind: "touch"; readonly ttlMs: number }
  | { readonly kind: "end"; readonly rememberMs: number };

export type StoreOutcome =
  | "written"
  /** The session is another node's by now, or of a younger generation. */
  | "refused"
  /** Too many sessions were waiting, or the record could not be encoded. */
  | "dropped"
  /** Redis was away or refused; the write is tried again. */
  | "failed";

export interface SessionStoreOptions {
  readonly redis: Pick<RedisConnection, "ready" | "call" | "callBuffer">;
  readonly keyPrefix: string;
  /** Of this node. */
  readonly uid: string;
  /** Sessions whose writes may wait at once. */
  readonly maxWaiting: number;
  readonly onOutcome: (outcome: StoreOutcome) => void;
  /** This node's socket of that session, if it has one, is a left-over. */
  readonly onRefused: (pid: string, generation: number) => void;
  readonly onFailure: (error: Error) => void;
  /** Monotonic, in ms. */
  readonly now: () => number;
}

const INTERVAL_MS = 1_000;
const GATHER_MS = 20;
/** Commands that wait for their replies at once: what else uses the connection passes between them. */
const MAX_IN_FLIGHT = 64;
const RETRY_MS = 500;

interface Slot {
  readonly pid: string;
  pending: SessionWrite | undefined;
  waiters: Waiter[];
  /** -Infinity where the interval is over. */
  sentAtMs: number;
  inFlight: boolean;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class SessionStore {
  readonly #options: SessionStoreOptions;
  readonly #save = new RedisScript(SAVE);
  readonly #end = new RedisScript(END);
  /** In the order in which they were last sent: those of which something was written within the interval, is on its way, or waits. */
  readonly #slots = new Map<string, Slot>();
  /** What may be sent now. */
  readonly #due = new Set<Slot>();
  #waiting = 0;
  #inFlight = 0;
  #timer: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #idle: (() => void) | undefined;
  #stopped = false;

  constructor(options: SessionStoreOptions) {
    this.#options = options;
  }

  /** Sessions whose writes wait or are on their way. */
  get size(): number {
    return this.#waiting + this.#inFlight;
  }

  /** @returns whether it was taken: an older write of the session that waits is replaced */
  put(pid: string, write: SessionWrite): boolean {
    const slot = this.#slotFor(pid, write);
    if (slot === undefined) return false;
    if (this.#options.now() - slot.sentAtMs >= INTERVAL_MS) {
      this.#due.add(slot);
      this.#gathering ??= setTimeout(() => {
        this.#gathering = undefined;
        this.#pump();
      }, GATHER_MS);
    }
    return true;
  }

  /** The same, ahead of its time. @returns once Redis has it. Rejects where Redis is away, refuses it or fails: what was taken is tried again all the same */
  putNow(pid: string, write: SessionWrite): Promise<void> {
    const slot = this.#slotFor(pid, write);
    if (slot === undefined) return Promise.reject(new Error("too many sessions wait for Redis"));
    if (!this.#options.redis.ready) {
      this.#makeDue(slot);
      return Promise.reject(new Error("Redis cannot be reached"));
    }
    return new Promise((resolve, reject) => {
      slot.waiters.push({ resolve, reject });
      this.#makeDue(slot);
    });
  }

  /** Forgets what waits of that session: it is not this node's any more. */
  forget(pid: string): void {
    const slot = this.#slots.get(pid);
    if (slot === undefined) return;
    this.#clear(slot);
    this.#settle(slot.waiters, new Error("the session is another node's"));
    slot.waiters = [];
  }

  /** The connection is ready. */
  wake(): void {
    this.#pump();
  }

  /** Sends all that waits. @returns once Redis has it, or the time is over */
  async drained(timeoutMs: number): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#gathering);
    for (const slot of this.#slots.values()) if (slot.pending !== undefined) this.#due.add(slot);
    if (this.size > 0 && timeoutMs > 0) {
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, timeoutMs);
        this.#idle = () => {
          clearTimeout(late);
          resolve();
        };
        this.#pump();
      });
    }
    clearTimeout(this.#retry);
  }

  key(pid: string): string {
    return `${this.#options.keyPrefix}session:${pid}`;
  }

  #slotFor(pid: string, write: SessionWrite): Slot | undefined {
    let slot = this.#slots.get(pid);
    if (slot?.pending === undefined && this.#waiting >= this.#options.maxWaiting) {
      this.#options.onOutcome("dropped");
      return undefined;
    }
    if (slot === undefined) {
      slot = { pid, pending: undefined, waiters: [], sentAtMs: -Infinity, inFlight: false };
      this.#slots.set(pid, slot);
    }
    // A whole record says that it lives, too.
    if (slot.pending !== undefined && write.kind === "touch") return slot;
    if (slot.pending === undefined) this.#waiting++;
    slot.pending = write;
    return slot;
  }

  #makeDue(slot: Slot): void {
    this.#due.add(slot);
    this.#pump();
  }

  #clear(slot: Slot): void {
    if (slot.pending !== undefined) this.#waiting--;
    slot.pending = undefined;
    this.#due.delete(slot);
  }

  #pump(): void {
    const { redis } = this.#options;
    for (const slot of this.#due) {
      if (this.#inFlight >= MAX_IN_FLIGHT || !redis.ready) break;
      // Its reply comes first: two writes of a session never overtake each other.
      if (slot.inFlight || slot.pending === undefined) continue;
      void this.#send(slot, slot.pending);
    }
    if (this.size === 0) this.#idle?.();
  }

  async #send(slot: Slot, write: SessionWrite): Promise<void> {
    const { onOutcome, onRefused, onFailure, now } = this.#options;
    const { waiters } = slot;
    slot.waiters = [];
    this.#clear(slot);
    slot.inFlight = true;
    slot.sentAtMs = now();
    this.#inFlight++;
    this.#slots.delete(slot.pid);
    this.#slots.set(slot.pid, slot);
    this.#watch();
    let error: Error | undefined;
    try {
      if (await this.#write(slot.pid, write)) onOutcome("written");
      else {
        error = new Error("the session is another node's");
        onOutcome("refused");
        if (write.kind === "save") onRefused(slot.pid, write.generation);
      }
    } catch (thrown) {
      error = toError(thrown);
      onFailure(error);
      if (error instanceof EncodingError) onOutcome("dropped");
      else {
        onOutcome("failed");
        this.#again(slot, write);
      }
    }
    this.#inFlight--;
    slot.inFlight = false;
    this.#settle(waiters, error);
    if (slot.pending === undefined) {
      if (slot.sentAtMs === -Infinity) this.#slots.delete(slot.pid);
    } else if (this.#stopped || slot.waiters.length > 0) this.#due.add(slot);
    this.#pump();
  }

  async #write(pid: string, write: SessionWrite): Promise<boolean> {
    const { redis, uid } = this.#options;
    const key = this.key(pid);
    if (write.kind === "touch") {
      await redis.call("PEXPIRE", key, write.ttlMs);
      return true;
    }
    let done: unknown;
    if (write.kind === "end") done = await this.#end.run(redis, key, uid, write.rememberMs);
    else {
      const args: RedisArgument[] = [write.generation, uid, write.nsp, encoded(write), write.ttlMs];
      done = await this.#save.run(redis, key, ...args);
    }
    return write.kind === "end" || done === 1;
  }

  /** Unless something younger has come. */
  #again(slot: Slot, write: SessionWrite): void {
    if (slot.pending === undefined || (slot.pending.kind === "touch" && write.kind !== "touch")) {
      if (slot.pending === undefined) this.#waiting++;
      slot.pending = write;
    }
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      for (const one of this.#slots.values()) if (one.pending !== undefined) this.#due.add(one);
      this.#pump();
    }, RETRY_MS);
  }

  #settle(waiters: readonly Waiter[], error: Error | undefined): void {
    for (const { resolve, reject } of waiters) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }

  /** One timer, for the slot that was sent first: they are in that order. */
  #watch(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    for (const { sentAtMs } of this.#slots.values()) {
      if (sentAtMs === -Infinity) continue;
      this.#timer = setTimeout(() => this.#onInterval(), Math.max(1, sentAtMs + INTERVAL_MS - this.#options.now()));
      return;
    }
  }

  #onInterval(): void {
    this.#timer = undefined;
    const nowMs = this.#options.now();
    for (const slot of this.#slots.values()) {
      if (slot.sentAtMs === -Infinity) continue;
      if (nowMs - slot.sentAtMs < INTERVAL_MS) break;
      slot.sentAtMs = -Infinity;
      if (slot.pending !== undefined) this.#due.add(slot);
      else if (!slot.inFlight) this.#slots.delete(slot.pid);
    }
    this.#pump();
    this.#watch();
  }
}

class EncodingError extends Error {}

function encoded({ encode }: Extract<SessionWrite, { kind: "save" }>): Buffer {
  try {
    return encode();
  } catch (error) {
    throw new EncodingError("a session's record cannot be encoded", { cause: error });
  }
}
