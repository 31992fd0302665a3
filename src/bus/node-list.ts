/** The nodes of a fleet as one sees them who is no node of it. */
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../config/config.js";
import { withoutPassword } from "../lib/redis-url.js";
import { connectRedis } from "../lib/redis.js";
import { LeaseStore } from "./lease-store.js";
import type { FleetNode } from "./node-record.js";
import { redisSettings } from "./node-redis.js";

const RETRY_MS = 50;

/**
 * By id.
 *
 * @throws FleetError (with the name StartError) where no Redis is configured, or it cannot be asked within bus.startTimeoutMs
 */
export async function readFleet(config: Config): Promise<FleetNode[]> {
  const settings = redisSettings(config, "limpet:nodes");
  if (settings === undefined) throw new FleetError("a fleet has a Redis: name it with --redis or LIMPET_REDIS_URL");
  const timeout = AbortSignal.timeout(config.bus.startTimeoutMs);
  let lastError: unknown;
  const redis = connectRedis(settings, { onError: (error) => (lastError = error) });
  const store = new LeaseStore(redis, config.redis.keyPrefix);
  const ask = async (): Promise<FleetNode[]> => {
    for (;;) {
      if (redis.ready) {
        try {
          return await store.living();
        } catch (error) {
          lastError = error;
        }
      }
      await delay(RETRY_MS, undefined, { signal: timeout });
    }
  };
  try {
    return await Promise.race([ask(), rejectedBy(timeout)]);
  } catch (cause) {
    throw unreachable(config, lastError ?? cause);
  } finally {
    redis.close();
  }
}

/** Redis may leave a command unanswered for longer. */
function rejectedBy(timeout: AbortSignal): Promise<never> {
  return new Promise((_, reject) => timeout.addEventListener("abort", () => reject(timeout.reason as Error)));
}

function unreachable({ redis, bus }: Config, cause: unknown): FleetError {
  const reason = cause instanceof Error && cause.name !== "TimeoutError" ? `: ${cause.message}` : "";
  const where = withoutPassword(redis.url ?? "");
  return new FleetError(`Redis at ${where} could not be asked within ${bus.startTimeoutMs} ms${reason}`, { cause });
}

/** A user can mend it: it is shown without its stack. */
class FleetError extends Error {
  override readonly name = "StartError";
}
