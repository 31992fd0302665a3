import assert from "node:assert/strict";
import test from "node:test";
import { UserLimit } from "../../src/access/user-limit.js";
import { parseRedisUrl } from "../../src/lib/redis-url.js";
import { connectRedis, type RedisConnection } from "../../src/lib/redis.js";
import type { Scope } from "../support/children.js";
import { startRedis, type TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";

async function connect(scope: Scope, { url }: TestRedis): Promise<RedisConnection> {
  const place = parseRedisUrl(url);
  assert.ok(place !== undefined);
  const rest = { username: undefined, password: undefined, sentinelPassword: undefined, name: "test" };
  const tls = { ca: undefined, cert: undefined, key: undefined, verify: true };
  const connection = connectRedis({ place, ...rest, tls, stallTimeoutMs: 60_000 }, { onError: () => undefined });
  scope.after(() => connection.close());
  await waitFor(() => connection.ready);
  return connection;
}

const limitOver = (redis: RedisConnection | undefined, alone: Error[] = []): UserLimit =>
  new UserLimit({ perMinute: 3, redis, keyPrefix: "limpet:", onAlone: (error) => void alone.push(error) });

const tries = async (limits: readonly UserLimit[], user: string, count: number): Promise<number> => {
  let entered = 0;
  for (let i = 0; i < count; i++) {
    const answer = await limits[i % limits.length]?.enter(user);
    if (answer === "entered") entered++;
    else {
      assert.ok(answer?.reason === "user_rate");
      assert.ok(answer.retryAfterMs > 0 && answer.retryAfterMs <= 60_000, String(answer.retryAfterMs));
    }
  }
  return entered;
};

test("without Redis a user connects so often in a minute, and others are not touched", async () => {
  const limit = limitOver(undefined);
  assert.equal(await tries([limit], "ada", 10), 3);
  assert.equal(await tries([limit], "bob", 2), 2);
});

test("over Redis all nodes count together, and the keys hold no names and end by themselves", async (t) => {
  const redis = await startRedis(t);
  const limits = [limitOver(await connect(t, redis)), limitOver(await connect(t, redis))];
  assert.equal(await tries(limits, "ada", 10), 3);
  const client = redis.client();
  const keys = await client.keys("*");
  assert.equal(keys.length, 1);
  assert.match(keys[0] ?? "", /^limpet:user:[\w-]{43}$/);
  const ttlMs = await client.pttl(keys[0] ?? "");
  assert.ok(ttlMs > 0 && ttlMs <= 60_000, String(ttlMs));
});

test("a Redis that is away, or does not answer, keeps nobody out for long: the node counts alone", async (t) => {
  const redis = await startRedis(t);
  const connection = await connect(t, redis);
  const alone: Error[] = [];
  const limit = limitOver(connection, alone);
  process.kill(redis.pid, "SIGSTOP");
  const startedAtMs = performance.now();
  assert.equal(await limit.enter("ada"), "entered");
  const tookMs = performance.now() - startedAtMs;
  process.kill(redis.pid, "SIGCONT");
  assert.ok(tookMs < 5_000, `${tookMs} ms`);
  assert.match(alone[0]?.message ?? "", /did not answer/);
  await redis.kill();
  await waitFor(() => !connection.ready);
  assert.equal(await tries([limit], "ada", 5), 2, "one of three was counted here while Redis was silent");
});
