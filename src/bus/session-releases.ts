/**
 * Sessions that go from one living node to another: the node that takes one asks its owner, who ends its socket silently, and answers with the last state and
 * how far its entries must have been read before nothing of what it delivered can come again.
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
  readonly onFailure: (error: unknown) => void;
  readonly timeoutMs: number;
}

interface Asked {
  readonly uid: string;
  readonly done: (released: Released | undefined) => void;
}

export class SessionReleases {
  readonly #options: SessionReleasesOptions;
  /** By pid and generation. */
  readonly #asked = new Map<string, Asked>();
  /** Of the nodes that are looked for now. */
  readonly #lookups = new Map<string, Promise<boolean>>();

  constructor(options: SessionReleasesOptions) {
    this.#options = options;
  }

  /**
   * @param generation the new one: what is older must end
   * @returns undefined where the owner is gone, or silent
   */
  async ask(uid: string, pid: string, generation: number): Promise<Released | undefined> {
    const key = keyOf(pid, generation);
    return new Promise((resolve) => {
      const done = (released: Released | undefined): void => {
        clearTimeout(timer);
        if (this.#asked.delete(key)) resolve(released);
      };
      const timer = setTimeout(() => done(undefined), this.#options.timeoutMs);
      this.#asked.set(key, { uid, done });
      this.#options.say(uid, RELEASE, [pid, generation]);
      this.#isHeard(uid).then((heard) => {
        if (!heard) done(undefined);
      }, this.#options.onFailure);
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
    const asked = this.#asked.get(keyOf(pid, generation));
    if (asked === undefined || asked.uid !== uid) return;
    asked.done({
      record: bytes instanceof Uint8Array ? decodeRecord(Buffer.from(bytes)) : undefined,
      n,
      streamId: typeof streamId === "string" ? streamId : undefined,
    });
  }

  stop(): void {
    for (const { done } of this.#asked.values()) done(undefined);
  }

  /** One look for all that is asked of a node at the same time. */
  async #isHeard(uid: string): Promise<boolean> {
    let lookup = this.#lookups.get(uid);
    if (lookup === undefined) {
      lookup = this.#options.isHeard(uid).finally(() => this.#lookups.delete(uid));
      this.#lookups.set(uid, lookup);
    }
    return lookup;
  }
}

const keyOf = (pid: string, generation: number): string => `${generation} ${pid}`;
