/** Two nodes on a master behind Sentinel: everything crosses, and a fail-over loses nothing but what Redis took and lost. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { fileScope } from "../hub/fleet.js";
import { startSentinel, type SentinelRig } from "../support/sentinel.js";
import { waitFor } from "../support/wait.js";
import { failOver, messagesIn, withoutReplica } from "./fail-over.js";
import { assertEverythingCrosses } from "./kinds.js";
import { startPost } from "./posts.js";
import type { Post } from "./traffic.js";

const scope = fileScope();
let rig: SentinelRig;
let posts: readonly [Post, Post];
before(async () => {
  rig = await startSentinel(scope);
  posts = await Promise.all([startPost(scope, { url: rig.url, id: 1 }), startPost(scope, { url: rig.url, id: 2 })]);
});

test("emits, requests, namespaces and membership work behind Sentinel", async () => {
  await assertEverythingCrosses(posts, { url: rig.url });
});

test("a fail-over that an operator orders, under 500 messages/s", async () => {
  await failOver("ordered", posts, { master: await rig.master(), run: () => rig.failover("ordered") });
});

test("a master that is killed after its replica fell behind, under 500 messages/s: the loss is Redis' alone, and counted", async () => {
  const master = await rig.master();
  const replica = rig.servers.find((server) => server !== master);
  assert.ok(replica);
  const linked = async (): Promise<boolean> =>
    String(await replica.client().info("replication")).includes("link_status:up");
  await waitFor(linked, { timeoutMs: 20_000, message: "the old master to follow the new one" });
  const { lostByRedis, gaps } = await failOver("killed", posts, {
    master,
    run: async () => {
      const admin = master.client();
      const added = async (): Promise<number> => (await messagesIn(admin)).size;
      await withoutReplica(master, replica, async () => {
        const before = await added();
        await waitFor(async () => (await added()) > before + 100, {
          message: "messages that the replica does not get",
        });
        await master.kill();
      });
      return rig.failover("killed");
    },
  });
  assert.ok(lostByRedis >= 100, `the new master lacks only ${lostByRedis}`);
  assert.ok(gaps > 0, "no gap was counted");
});
