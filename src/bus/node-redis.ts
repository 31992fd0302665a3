/** The Redis of a node's fleet, from its configuration. */
import { readFileSync } from "node:fs";
import type { Config } from "../config/config.js";
import { parseRedisUrl } from "../lib/redis-url.js";
import type { RedisSettings } from "../lib/redis-client.js";

/**
 * @param name of the connection, as Redis lists it
 * @returns undefined for a node without a fleet
 * @throws Error of the file system where a certificate or key cannot be read
 */
export function redisSettings({ redis, bus }: Pick<Config, "redis" | "bus">, name: string): RedisSettings | undefined {
  const place = redis.url === null ? undefined : parseRedisUrl(redis.url);
  if (place === undefined) return undefined;
  return {
    place,
    username: redis.username ?? undefined,
    password: redis.password ?? undefined,
    sentinelPassword: redis.sentinelPassword ?? undefined,
    tls: {
      ca: textOf(redis.tlsCaFile),
      cert: textOf(redis.tlsCertFile),
      key: textOf(redis.tlsKeyFile),
      verify: redis.tlsVerify,
    },
    name,
    stallTimeoutMs: bus.stallTimeoutMs,
  };
}

const textOf = (file: string | null): string | undefined => (file === null ? undefined : readFileSync(file, "utf8"));
