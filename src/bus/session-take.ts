/**
 * How this node takes over a session of another one: fenced in Redis first, so that the former owner's writes count no more; then released by that owner, where
 * it lives; then everything that it has delivered must have been read here, or it would be delivered again.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisConnection } from "../lib/redis.js";
import { FIRST_ID } from "../lib/stream-id.js";
import type { TakenSession } from "../recovery/fleet-sessions.js";
import type { SessionRecord } from "../recovery/session-record.js";
import type { Mark } from "./barrier.js";
import { RedisScript } from "./redis-script.js";
import { decodeRecord } from "./session-codec.js";
import type { Released } from "./session-releases.js";
import { TAKE } from "./session-scripts.js";

export interface SessionTakeOptions {
  readonly redis: Pick<RedisConnection, "call" | "callBuffer">;
  readonly stream: string;
  readonly uid: string;
  readonly key: (pid: string) => string;
  readonly ttlMs: number;
  readonly isUp: () => boolean;
  /** Whether that node is known to have ended. */
  readonly isGone: (uid: string) => boolean;
  readonly release: (uid: string, pid: string, generation: number) => Promise<Released | undefined>;
  readonly reached: (mark: Mark, timeoutMs: number) => Promise<boolean>;
  readonly onFailure: (error: unknown) => void;
}

/** A reader that is further behind than that reads what is late while the client is here again. */
const BARRIER_MS = 2_000;

/** A client can be here before its first node's word of it is in Redis; a pid that nobody knows costs so much longer. */
const UNWRITTEN_MS = 250;

/** Kind, generation, uid of the owner until now, record; the last three where it was taken. */
type TakeReply = readonly [kind: Buffer, generation: number, owner: Buffer, record: Buffer];

export class SessionTake {
  readonly #options: SessionTakeOptions;
  readonly #script = new RedisScript(TAKE);
  /** Asked for, and not sent yet. */
  #tail: Promise<string> | undefined;

  constructor(options: SessionTakeOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async take(nsp: string, pid: string): Promise<TakenSession> {
    const { isUp, onFailure } = this.#options;
    if (!isUp()) return { failure: "bus_down" };
    try {
      return await this.#take(nsp, pid);
    } catch (error) {
      onFailure(error);
      return { failure: "bus_down" };
    }
  }

  async #take(nsp: string, pid: string): Promise<TakenSession> {
    const { uid, isUp, isGone, release, reached } = this.#options;
    let reply = await this.#ask(nsp, pid);
    if (reply[0].toString() === "unknown") {
      await delay(UNWRITTEN_MS, undefined, { ref: false });
      reply = await this.#ask(nsp, pid);
    }
    const [kind, generation, ownerText, bytes] = reply;
    if (kind.toString() === "unknown") return { failure: "unknown" };
    if (kind.toString() === "namespace") return { failure: "namespace" };
    const owner = ownerText.toString();
    const released = owner === uid || isGone(owner) ? undefined : await release(owner, pid, generation);
    const record = released?.record ?? this.#readable(bytes);
    if (record === undefined) return { failure: "unknown" };
    const mark: Mark =
      released === undefined
        ? { id: await this.#tailId() }
        : { id: released.streamId, source: { uid: owner, n: released.n } };
    if (!(await reached(mark, BARRIER_MS)) && !isUp()) return { failure: "bus_down" };
    return { record: { ...record, generation } };
  }

  async #ask(nsp: string, pid: string): Promise<TakeReply> {
    const { redis, uid, key, ttlMs } = this.#options;
    return (await this.#script.run(redis, key(pid), uid, nsp, ttlMs)) as TakeReply;
  }

  /** Another version of limpet may have written it. */
  #readable(bytes: Buffer): SessionRecord | undefined {
    try {
      return decodeRecord(bytes);
    } catch (error) {
      this.#options.onFailure(error);
      return undefined;
    }
  }

  /** Id of the stream's last entry, as of a moment after the call; asked once for all calls of a turn. */
  async #tailId(): Promise<string> {
    this.#tail ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        this.#tail = undefined;
        const { redis, stream } = this.#options;
        redis
          .call("XREVRANGE", stream, "+", "-", "COUNT", 1)
          .then((entries) => resolve((entries as [string][])[0]?.[0] ?? FIRST_ID), reject);
      });
    });
    return this.#tail;
  }
}
