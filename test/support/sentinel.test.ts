/** A client follows the master of the tests' sentinels. */
import assert from "node:assert/strict";
import test from "node:test";
import { startSentinel } from "./sentinel.js";
import { waitFor } from "./wait.js";

test("an ordered fail-over makes the replica the master, and a client follows with what it had written", async (t) => {
  const rig = await startSentinel(t);
  const client = rig.client();
  await client.set("k", "before");
  const [first, second] = rig.servers;
  assert.equal(await rig.master(), first);
  assert.equal(await rig.failover(), second);
  await waitFor(async () => (await client.info("server")).includes(`tcp_port:${second?.port}`));
  assert.equal(await client.get("k"), "before");
  await client.set("k", "after");
  // The old master follows the new one.
  await waitFor(async () => (await first?.client().get("k")) === "after", { timeoutMs: 20_000 });
});

test("a killed master is replaced by its replica, and a client follows", async (t) => {
  const rig = await startSentinel(t);
  const client = rig.client();
  await client.set("k", "before");
  await client.wait(1, 5000);
  const [, second] = rig.servers;
  assert.equal(await rig.failover("killed"), second);
  assert.equal(await client.get("k"), "before");
  await client.set("k", "after");
  assert.equal(await second?.client().get("k"), "after");
});
