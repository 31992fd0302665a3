/**
 * Sessions that go from one living node to another: the node that takes one asks its owner, who ends its socket silently, and answers with the last state and
 * how far its entries must have been read before nothing of what it delivered can come again. An owner that says nothing is given up, and asked again later: what
 * it says then is passed on as well.
 */
import type { SessionRecord } from "../recovery/session-record.js";
import { decodeRecord, encodeRecord } from "./session-codec.js";

/** Types of words between nodes. */
export const RELEASE = 1;
export const RELEASED = 2;

export interface Released {
  /** Undefined where the owner does not know the session any more. */
  readonly record: SessionRecord | undefined;
  /** Number of the last entry of the owner. */
  readonly n: number;
  /** Id of the last entry that it had read. */
  readonly streamId: string | undefined;
}

export interface SessionReleasesOptions {
  readonly say: (uid: string, type: number, item: unknown, bytes?: number) => void;
  /** Whether that node hears its private channel. */
  readonly isHeard: (uid: string) => Promise<boolean>;
  /** Ends this node's socket of the session. Never rejects. */
  readonly release: (pid: string, generation: number) => Promise<SessionRecord | undefined>;
  readonly position: () => { readonly n: number; readonly streamId: string | undefined };
  /** What an owner has said that was not waited for any longer. */
  readonly onLate: (record: SessionRecord, generation: number) => void;
  readonly onFailure: (error: unknown) => void;
  /** When something of that node was read from the stream last; -Infinity where nothing was. */
  readonly seenAtMs: (uid: string) => number;
  /** How long an owner may be silent. */
  readonly timeoutMs: number;
  /** Monotonic, in ms. */
  readonly now: () => number;
}

interface Asked {
  readonly owner: Owner;
  readonly done: (released: Released | undefined) => void;
}

/** A node that is asked for something. */
interface Owner {
  readonly uid: string;
  /** When it answered last. */
  heardAtMs: number;
  asked: number;
  /** Whether it is there at all: one look for all that is asked of it at the same time. */
  lookup: Promise<boolean> | undefined;
}

/** An owner that was given up: it had much to do or stood still, or was cut off from Redis and has not heard the question. */
interface Silent {
  readonly uid: string;
  readonly timer: NodeJS.Timeout;
}

/** An owner that has much to do, and is heard of, is waited for so many times as long. */
const PATIENCE = 5;
/** One that was given up is asked again after that time, and after twice as long each time, for about a minute. */
const REMIND_MS = 2_000;
const REMINDERS = 5;
/** Of so many sessions at the same time. */
const MAX_SILENT = 10_000;

export class SessionReleases {
  readonly #options: SessionReleasesOptions;
  /** By pid and generation. */
  readonly #asked = new Map<string, Asked>();
  readonly #owners = new Map<string, Owner>();
  /** By pid and generation. */
  readonly #silent = new Map<string, Silent>();

  constructor(options: SessionReleasesOptions) {
    this.#options = options;
  }

  /**
   * @param generation the new one: what is older must end
   * @returns undefined where the owner is gone, or silent
   */
  async ask(uid: string, pid: string, generation: number): Promise<Released | undefined> {
    const key = keyOf(pid, generation);
    const { timeoutMs, seenAtMs, now, say, onFailure } = this.#options;
    const owner = this.#owners.get(uid) ?? { uid, heardAtMs: -Infinity, asked: 0, lookup: undefined };
    this.#owners.set(uid, owner);
    owner.asked++;
    const askedAtMs = now();
    return new Promise((resolve) => {
      const done = (released: Released | undefined): void => {
        clearTimeout(timer);
        if (!this.#asked.delete(key)) return;
        if (--owner.asked === 0) this.#owners.delete(uid);
        resolve(released);
      };
      const check = (): void => {
        const heardAtMs = Math.max(askedAtMs, owner.heardAtMs, seenAtMs(uid));
        const leftMs = Math.min(heardAtMs + timeoutMs, askedAtMs + PATIENCE * timeoutMs) - now();
        if (leftMs <= 0) giveUp();
        else timer = setTimeout(check, Math.ceil(leftMs));
      };
      const giveUp = (): void => {
        if (!this.#asked.has(key)) return;
        this.#remind(uid, pid, generation);
        done(undefined);
      };
      let timer = setTimeout(check, timeoutMs);
      this.#asked.set(key, { owner, done });
      say(uid, RELEASE, [pid, generation]);
      this.#isHeard(owner).then((heard) => {
        if (!heard) giveUp();
      }, onFailure);
    });
  }

  /** @throws Error where the item cannot be read */
  onRelease(uid: string, item: unknown): void {
    const [pid, generation] = item as [unknown, unknown];
    if (typeof pid !== "string" || typeof generation !== "number") throw new Error("a release that cannot be read");
    const { release, position, say } = this.#options;
    void release(pid, generation)
      .then((record) => {
        const bytes = record === undefined ? undefined : encodeRecord(record);
        const { n, streamId } = position();
        say(uid, RELEASED, [pid, generation, n, streamId ?? null, bytes ?? null], bytes?.length);
      })
      .catch(this.#options.onFailure);
  }

  /** @throws Error where the item cannot be read */
  onReleased(uid: string, item: unknown): void {
    const [pid, generation, n, streamId, bytes] = item as unknown[];
    if (typeof pid !== "string" || typeof generation !== "number" || typeof n !== "number")
      throw new Error("an answer to a release that cannot be read");
    const record = bytes instanceof Uint8Array ? decodeRecord(Buffer.from(bytes)) : undefined;
    const owner = this.#owners.get(uid);
    if (owner !== undefined) owner.heardAtMs = this.#options.now();
    const key = keyOf(pid, generation);
    const asked = this.#asked.get(key);
    if (asked?.owner.uid === uid)
      asked.done({ record, n, streamId: typeof streamId === "string" ? streamId : undefined });
    const silent = this.#silent.get(key);
    if (silent?.uid !== uid) return;
    this.#forget(key);
    if (record !== undefined) this.#options.onLate(record, generation);
  }

  stop(): void {
    for (const { done } of this.#asked.values()) done(undefined);
    for (const key of this.#silent.keys()) this.#forget(key);
  }

  /** Its socket there is a left-over, and what it has for the client alone is nowhere else. */
  #remind(uid: string, pid: string, generation: number, times = 1): void {
    const key = keyOf(pid, generation);
    if (this.#silent.size >= MAX_SILENT && !this.#silent.has(key)) return;
    const timer = setTimeout(
      () => {
        if (times > REMINDERS) {
          this.#silent.delete(key);
          return;
        }
        this.#options.say(uid, RELEASE, [pid, generation]);
        this.#remind(uid, pid, generation, times + 1);
      },
      REMIND_MS * 2 ** (times - 1),
    );
    this.#silent.set(key, { uid, timer: timer.unref() });
  }

  #forget(key: string): void {
    clearTimeout(this.#silent.get(key)?.timer);
    this.#silent.delete(key);
  }

  #isHeard(owner: Owner): Promise<boolean> {
    owner.lookup ??= this.#options.isHeard(owner.uid).finally(() => (owner.lookup = undefined));
    return owner.lookup;
  }
}

const keyOf = (pid: string, generation: number): string => `${generation} ${pid}`;
