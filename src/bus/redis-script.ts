/** A Lua script, sent once to each server that runs it, and named by its digest from then on. */
import { createHash } from "node:crypto";
import type { RedisArgument } from "../lib/redis-command.js";
import type { RedisConnection } from "../lib/redis.js";

export class RedisScript {
  readonly #text: string;
  readonly #digest: string;

  constructor(text: string) {
    this.#text = text;
    this.#digest = createHash("sha1").update(text).digest("hex");
  }

  /** @returns the reply, its texts as Buffers */
  async run(
    redis: Pick<RedisConnection, "callBuffer">,
    key: string,
    ...args: readonly RedisArgument[]
  ): Promise<unknown> {
    try {
      return await redis.callBuffer("EVALSHA", this.#digest, 1, key, ...args);
    } catch (error) {
      // A server that was started anew, or took a master's place, knows no scripts.
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return redis.callBuffer("EVAL", this.#text, 1, key, ...args);
    }
  }
}
