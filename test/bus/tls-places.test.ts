/** TLS and passwords where Redis is more than one server: a master behind sentinels that want a password of their own, and a cluster. */
import assert from "node:assert/strict";
import test from "node:test";
import { startRedisCluster } from "../support/redis-cluster.js";
import { makeCertificates } from "../support/redis-tls.js";
import { startSentinel } from "../support/sentinel.js";
import { STREAM } from "./fleet.js";
import { assertEverythingCrosses } from "./kinds.js";
import { assertNothingEnded, startPost, waitForBus } from "./posts.js";
import { describe, Traffic, type Post } from "./traffic.js";

const PASSWORD = "p@ss w:rd";

/** Everything crosses, a master goes away under traffic, and everything crosses again. */
async function loseMaster(
  posts: readonly [Post, Post],
  reach: Parameters<typeof assertEverythingCrosses>[1],
  lose: () => Promise<unknown>,
): Promise<void> {
  await assertEverythingCrosses(posts, reach);
  const traffic = await Traffic.start(posts, { perSecond: 50 });
  await traffic.flows();
  await lose();
  await traffic.flows();
  await traffic.stop();
  for (const pair of await traffic.settle()) {
    console.log(`  ${describe(pair)}`);
    assert.deepEqual([pair.duplicates, pair.inOrder], [0, true]);
  }
  await waitForBus(true, posts);
  await assertNothingEnded(posts);
  await assertEverythingCrosses(posts, reach);
}

test("a master behind Sentinel, all of it over TLS and with passwords, with a fail-over", async (t) => {
  const tls = await makeCertificates(t);
  const rig = await startSentinel(t, { tls, password: "master", sentinelPassword: PASSWORD });
  const env = {
    LIMPET_REDIS_PASSWORD: "master",
    LIMPET_REDIS_SENTINEL_PASSWORD: PASSWORD,
    LIMPET_REDIS_TLS_CA_FILE: tls.caFile,
  };
  const reach = { url: rig.url, env };
  const posts = await Promise.all([startPost(t, { ...reach, id: 1 }), startPost(t, { ...reach, id: 2 })]);
  await loseMaster(posts, reach, () => rig.failover("killed"));
});

test("a cluster, all of it over TLS and with a password, whose master of the stream is killed", async (t) => {
  const tls = await makeCertificates(t);
  const rig = await startRedisCluster(t, { tls, password: PASSWORD });
  const reach = { url: rig.url, env: { LIMPET_REDIS_PASSWORD: PASSWORD, LIMPET_REDIS_TLS_CA_FILE: tls.caFile } };
  const posts = await Promise.all([startPost(t, { ...reach, id: 1 }), startPost(t, { ...reach, id: 2 })]);
  await loseMaster(posts, reach, () => rig.killMaster(STREAM));
});
