/**
 * How often one user may connect in a minute: over the whole fleet, by counters in Redis. Entry never waits for a Redis that is away, or slow: this node
 * then counts alone.
 */
import { createHash } from "node:crypto";
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, type RateLimiterAbstract } from "rate-limiter-flexible";
import type { RedisConnection } from "../lib/redis.js";
import { toError } from "../lib/to-error.js";
import type { EntryAnswer } from "./refusals.js";

const MINUTE_S = 60;
/** How long Redis may take to answer before this node decides alone. */
const ANSWER_MS = 500;

export interface UserLimitOptions {
  readonly perMinute: number;
  /** Undefined: this node counts alone. */
  readonly redis: Pick<RedisConnection, "ready" | "call"> | undefined;
  /** Of the keys in Redis. */
  readonly keyPrefix: string;
  /** Redis could not be asked: this node has decided alone. */
  readonly onAlone: (error: Error) => void;
}

export class UserLimit {
  readonly #limiter: RateLimiterAbstract;

  constructor({ perMinute, redis, keyPrefix, onAlone }: UserLimitOptions) {
    const limits = { points: perMinute, duration: MINUTE_S, keyPrefix: `${keyPrefix}user` };
    const memory = new RateLimiterMemory(limits);
    this.#limiter =
      redis === undefined
        ? memory
        : new RateLimiterRedis({
            ...limits,
            storeClient: new ScriptClient(redis, onAlone),
            insuranceLimiter: memory,
            rejectIfRedisNotReady: true,
            // Whoever is over his limit is refused here, until his minute is over, without another word to Redis.
            inMemoryBlockOnConsumed: perMinute + 1,
          });
  }

  /** Counts a connect of that user. */
  async enter(user: string): Promise<EntryAnswer> {
    try {
      await this.#limiter.consume(keyOf(user));
      return "entered";
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw toError(refused);
      return { reason: "user_rate", retryAfterMs: refused.msBeforeNext };
    }
  }
}

/** Of one length, whatever an app calls its users; and no names in Redis. */
function keyOf(user: string): string {
  return createHash("sha256").update(user).digest("base64url");
}

/** What RateLimiterRedis takes for a client of ioredis, as far as it is used for counting. */
class ScriptClient {
  readonly #redis: Pick<RedisConnection, "ready" | "call">;
  readonly #onError: (error: Error) => void;
  #script = "";

  constructor(redis: Pick<RedisConnection, "ready" | "call">, onError: (error: Error) => void) {
    this.#redis = redis;
    this.#onError = onError;
  }

  /** ioredis' name for the state of its connection. */
  get status(): string {
    return this.#redis.ready ? "ready" : "reconnecting";
  }

  defineCommand(_name: string, { lua }: { readonly lua: string }): void {
    this.#script = lua;
  }

  /** The command that RateLimiterRedis defines. */
  async rlflxIncr(args: readonly string[]): Promise<unknown> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), ANSWER_MS);
    try {
      return await new Promise((resolve, reject) => {
        late.signal.addEventListener("abort", () => reject(new Error(`Redis did not answer within ${ANSWER_MS} ms`)));
        this.#redis.call("EVAL", this.#script, 1, ...args).then(resolve, reject);
      });
    } catch (error) {
      this.#onError(toError(error));
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
