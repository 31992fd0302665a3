/** Nodes with fixed ids: a clash is refused, and a restart is none. */
import assert from "node:assert/strict";
import test from "node:test";
import { newMember, startMember, type Network } from "./member.js";
import { waitFor } from "../support/wait.js";
import { startRedis } from "../support/redis.js";

const STARTED_AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const REFUSED = {
  name: "StartError",
  message: "node id 3 is held by the node at 10.0.0.7:3000 (started 2026-01-02T03:04:05.000Z)",
};

test("a fixed id that a living node holds is refused, with its address and its start", async (t) => {
  const { url } = await startRedis(t);
  const network: Network = new Map();
  const options = { nodeId: 3, network, leaseMs: 60_000 };
  const holder = await startMember(t, url, { ...options, address: "10.0.0.7:3000", startedAtMs: STARTED_AT_MS });
  assert.equal(holder.id, 3);
  await assert.rejects(newMember(t, url, options).membership.start(10_000), REFUSED);
  // Whatever the clocks say: who holds the id and lives is not driven out by a start.
  await assert.rejects(newMember(t, url, { ...options, startedAtMs: 1 }).membership.start(10_000), REFUSED);
  assert.equal((await startMember(t, url, { ...options, nodeId: 4 })).id, 4);
  assert.deepEqual(holder.yields, []);
});

test("a holder that cannot be reached is known to live by its renewals", async (t) => {
  const { url } = await startRedis(t);
  const options = { nodeId: 3, leaseMs: 3000 };
  const holder = await startMember(t, url, { ...options, address: "10.0.0.7:3000", startedAtMs: STARTED_AT_MS });
  await assert.rejects(newMember(t, url, options).membership.start(10_000), REFUSED);
  assert.deepEqual(holder.yields, []);
});

test("a leased id that is wanted as a fixed one says what to do", async (t) => {
  const { url } = await startRedis(t);
  const network: Network = new Map();
  await startMember(t, url, { network, address: "10.0.0.7:3000" });
  await assert.rejects(newMember(t, url, { network, nodeId: 0 }).membership.start(10_000), {
    message: /held by the node at 10\.0\.0\.7:3000 .*, by a lease: let all nodes of a fleet have fixed ids, or none$/,
  });
});

test("a node that is started again after a crash gets its fixed id as soon as its old lease has run out", async (t) => {
  const { url } = await startRedis(t);
  const network: Network = new Map();
  const options = { nodeId: 3, network, leaseMs: 3000 };
  const old = await startMember(t, url, { ...options, address: "10.0.0.7:3000" });
  old.crash();
  network.clear();
  const startedMs = performance.now();
  const again = await startMember(t, url, { ...options, address: "10.0.0.7:3000" });
  assert.equal(again.id, 3);
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs < 3000 + 2000, `took ${tookMs} ms with a lease of 3000 ms`);
  assert.ok(again.logs.some(({ msg }) => msg.includes("its lease is waited for")));
});

test("a node that has stopped in order leaves its fixed id to the next one at once", async (t) => {
  const { url } = await startRedis(t);
  const options = { nodeId: 3, leaseMs: 600_000 };
  const old = await startMember(t, url, { ...options, address: "10.0.0.7:3000" });
  await old.membership.stop();
  assert.equal((await startMember(t, url, options)).id, 3);
});

test("a fixed id whose lease has run out is refused while its holder answers", async (t) => {
  const { url } = await startRedis(t);
  const network: Network = new Map();
  const options = { nodeId: 3, network, leaseMs: 1000 };
  const holder = await startMember(t, url, { ...options, address: "10.0.0.7:3000", startedAtMs: STARTED_AT_MS });
  // Cut off from Redis, and alive.
  holder.redis.close();
  const other = await startMember(t, url, { ...options, nodeId: 4 });
  await waitFor(() => other.membership.nodes.length === 1);
  await assert.rejects(newMember(t, url, options).membership.start(10_000), REFUSED);
});
