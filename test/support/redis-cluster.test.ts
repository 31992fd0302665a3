/** A client uses the cluster of the tests, also after one of its masters was killed. */
import assert from "node:assert/strict";
import test from "node:test";
import { startRedisCluster } from "./redis-cluster.js";

test("keys live on three masters, and those of a killed one on its replica", async (t) => {
  const rig = await startRedisCluster(t);
  const client = rig.client();
  const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`);
  for (const key of keys) await client.set(key, `value of ${key}`);
  const masters = new Set(await Promise.all(keys.map((key) => rig.masterOf(key))));
  assert.equal(masters.size, 3);

  // A replica follows when it can: what it has not been told is lost with its master.
  for (const master of client.nodes("master")) assert.equal(await master.wait(1, 10_000), 1);
  const { killed, next } = await rig.killMaster("key-0");
  assert.ok(masters.has(killed) && !masters.has(next));
  assert.equal(await rig.masterOf("key-0"), next);
  for (const key of keys) {
    assert.equal(await client.get(key), `value of ${key}`);
    await client.set(key, "anew");
  }
});
