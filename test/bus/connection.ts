/** A connection to a Redis of the tests, as the bus has them. */
import assert from "node:assert/strict";
import { parseRedisUrl } from "../../src/lib/redis-url.js";
import { connectRedis, type RedisConnection } from "../../src/lib/redis.js";
import type { Scope } from "../support/children.js";
import type { TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";

/** Closed with the scope. @returns once it is ready */
export async function connect(scope: Scope, redis: TestRedis, onReady?: () => void): Promise<RedisConnection> {
  const place = parseRedisUrl(redis.url);
  assert(place);
  const tls = { ca: undefined, cert: undefined, key: undefined, verify: true };
  const connection = connectRedis(
    {
      place,
      tls,
      username: undefined,
      password: undefined,
      sentinelPassword: undefined,
      name: "t",
      stallTimeoutMs: 2_000,
    },
    { ...(onReady && { onReady }) },
  );
  scope.after(() => connection.close());
  await waitFor(() => connection.ready);
  return connection;
}
