/** Two nodes on a Redis Cluster: everything crosses, and a master that is killed loses nothing but what Redis took and lost. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { fileScope } from "../hub/fleet.js";
import { startRedisCluster, type RedisClusterRig } from "../support/redis-cluster.js";
import type { TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";
import { failOver, withoutReplica } from "./fail-over.js";
import { STREAM } from "./fleet.js";
import { assertEverythingCrosses } from "./kinds.js";
import { startPost } from "./posts.js";
import type { Post } from "./traffic.js";

const scope = fileScope();
let rig: RedisClusterRig;
let posts: readonly [Post, Post];
before(async () => {
  rig = await startRedisCluster(scope);
  // One host is enough: the others are found.
  const [first] = rig.nodes;
  assert.ok(first);
  const url = `redis+cluster://${first.host}:${first.port}`;
  posts = await Promise.all([startPost(scope, { url, id: 1 }), startPost(scope, { url: rig.url, id: 2 })]);
});

async function replicaOf(master: TestRedis): Promise<TestRedis> {
  const [, , replicas] = (await master.client().call("ROLE")) as [string, number, [string, string, string][]];
  const found = rig.nodes.find(({ port }) => String(port) === replicas[0]?.[1]);
  assert.ok(found, "the master has no replica");
  return found;
}

test("emits, requests, namespaces and membership work on a cluster", async () => {
  await assertEverythingCrosses(posts, { url: rig.url });
});

test("the stream's master is killed after its replica fell behind, under 500 messages/s: the loss is Redis' alone, and counted", async () => {
  const master = await rig.masterOf(STREAM);
  const replica = await replicaOf(master);
  const { lostByRedis, gaps } = await failOver("master killed", posts, {
    master,
    run: async () => {
      const added = async (): Promise<number> => master.client().xlen(STREAM);
      await withoutReplica(master, replica, async () => {
        const before = await added();
        await waitFor(async () => (await added()) > before + 100, {
          message: "messages that the replica does not get",
        });
        await master.kill();
      });
      return (await rig.killMaster(STREAM)).next;
    },
  });
  assert.ok(lostByRedis >= 100, `the new master lacks only ${lostByRedis}`);
  assert.ok(gaps > 0, "no gap was counted");
});

test("requests are answered after the fail-over as before it", async () => {
  await assertEverythingCrosses(posts, { url: rig.url });
});
