/**
 * What this node has given up of sessions that another one took, for a while: Redis may say so before that node asks, by refusing a write, and an answer may
 * be lost. Whoever asks for that generation is answered the same once more.
 */
import type { SessionRecord } from "../recovery/session-record.js";

interface Given {
  readonly generation: number;
  readonly record: SessionRecord;
  readonly atMs: number;
}

/** A node that was silent is asked again for about a minute. */
const KEEP_MS = 90_000;
const MAX_KEPT = 10_000;

export class HandedOn {
  readonly #release: (pid: string, generation: number) => Promise<SessionRecord | undefined>;
  readonly #now: () => number;
  /** By pid, in the order in which they were given up. */
  readonly #given = new Map<string, Given>();
  /** By pid and generation: being given up now. */
  readonly #underWay = new Map<string, Promise<SessionRecord | undefined>>();

  /**
   * @param release ends this node's socket of the session, and takes the session out of its table
   * @param now monotonic, in ms
   */
  constructor(release: HandedOn["release"], now: () => number) {
    this.#release = release;
    this.#now = now;
  }

  /** @param generation the new one: what is older must end. @returns the last state; undefined where this node does not have it */
  release(pid: string, generation: number): Promise<SessionRecord | undefined> {
    const key = `${generation} ${pid}`;
    let releasing = this.#underWay.get(key);
    if (releasing === undefined) {
      releasing = this.#giveUp(pid, generation).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, releasing);
    }
    return releasing;
  }

  async #giveUp(pid: string, generation: number): Promise<SessionRecord | undefined> {
    const record = await this.#release(pid, generation);
    if (record === undefined) {
      const given = this.#given.get(pid);
      return given?.generation === generation ? given.record : undefined;
    }
    this.#given.delete(pid);
    this.#given.set(pid, { generation, record, atMs: this.#now() });
    this.#forgetOld();
    return record;
  }

  #forgetOld(): void {
    for (const [pid, { atMs }] of this.#given) {
      if (this.#given.size <= MAX_KEPT && this.#now() - atMs <= KEEP_MS) return;
      this.#given.delete(pid);
    }
  }
}
