/** What a worker knows of the other nodes: who is where, who is gone, and who may have come since. */
import assert from "node:assert/strict";
import test from "node:test";
import type { RemoteNode } from "../../src/link/messages.js";
import { RemoteNodes, type RemoteOwner } from "../../src/worker/remote-nodes.js";
import { MAX_OPEN, Route } from "../../src/worker/route.js";
import { waitFor } from "../support/wait.js";

const SEVEN = { node: 7, slot: 1 };

/** Nodes whose table is read anew when the test says so; each reading takes what is then told. */
function withReadings(inFleet = true): {
  nodes: RemoteNodes;
  readings: ((list: RemoteNode[], complete: boolean) => void)[];
} {
  const readings: ((list: RemoteNode[], complete: boolean) => void)[] = [];
  const nodes: RemoteNodes = new RemoteNodes({
    inFleet,
    answerMs: 1_000,
    seek: () =>
      new Promise((resolve) => {
        readings.push((list, complete) => {
          nodes.update(list, complete);
          resolve();
        });
      }),
  });
  return { nodes, readings };
}

const endpointOf = (owner: RemoteOwner): unknown => (owner.kind === "at" ? owner.route.endpoint : owner.kind);

test("each form of an address is understood, and each worker of a node has a route of its own", () => {
  const { nodes } = withReadings();
  nodes.update(
    [
      { id: 1, address: "10.0.0.1:3000" },
      { id: 2, address: "[2001:db8::1]:3001" },
      { id: 3, address: "node-3.limpet:3002" },
    ],
    true,
  );
  const endpoints = [1, 2, 3].map((node) => endpointOf(nodes.owner({ node, slot: 0 })));
  assert.deepEqual(endpoints, [
    { host: "10.0.0.1", port: 3000 },
    { host: "2001:db8::1", port: 3001 },
    { host: "node-3.limpet", port: 3002 },
  ]);
  const [first, again, other] = [0, 0, 1].map((slot) => nodes.owner({ node: 1, slot }));
  assert.ok(first?.kind === "at" && again?.kind === "at" && other?.kind === "at");
  assert.equal(first.route, again.route);
  assert.notEqual(first.route, other.route);
});

test("a node that is in no table is not known before a table is complete, and gone by one that is", () => {
  const { nodes } = withReadings();
  assert.equal(nodes.owner(SEVEN).kind, "unknown");
  nodes.update([], false);
  assert.equal(nodes.owner(SEVEN).kind, "unknown");
  nodes.update([], true);
  assert.equal(nodes.owner(SEVEN).kind, "gone");
});

test("a node that has an id and does not listen yet is not gone", async () => {
  const { nodes, readings } = withReadings();
  nodes.update([{ id: 7, address: null }], true);
  assert.equal(nodes.owner(SEVEN).kind, "unknown");
  const sought = nodes.soughtOwner(SEVEN);
  readings.shift()?.([{ id: 7, address: "10.0.0.7:3000" }], true);
  assert.deepEqual(endpointOf(await sought), { host: "10.0.0.7", port: 3000 });
});

test("who asks while a table is being read waits for the next reading, and all who do share it", async () => {
  const { nodes, readings } = withReadings();
  nodes.update([], true);
  const first = nodes.soughtOwner(SEVEN);
  const later = [nodes.soughtOwner(SEVEN), nodes.soughtOwner(SEVEN)];
  assert.equal(readings.length, 1);
  readings.shift()?.([], true);
  assert.equal((await first).kind, "gone");
  assert.equal(readings.length, 1, "one reading for both");
  readings.shift()?.([{ id: 7, address: "10.0.0.7:3000" }], true);
  for (const owner of await Promise.all(later)) assert.equal(owner.kind, "at");
  assert.equal(readings.length, 0);
});

test("a table that is not read in time says nothing about who is gone", async () => {
  const { nodes, readings } = withReadings();
  nodes.update([], true);
  assert.equal((await nodes.soughtOwner(SEVEN)).kind, "unknown");
  const sought = nodes.soughtOwner(SEVEN);
  readings.shift()?.([], true);
  await waitFor(() => readings.length > 0, { intervalMs: 0, message: "the next reading, once the slow one is done" });
  readings.shift()?.([], true);
  assert.equal((await sought).kind, "gone");
});

test("without a fleet nobody is asked", async () => {
  const { nodes, readings } = withReadings(false);
  assert.equal((await nodes.soughtOwner(SEVEN)).kind, "gone");
  assert.equal(readings.length, 0);
});

test("a node that has left the table keeps its address until nobody is reached there, and only then is gone", async () => {
  const { nodes, readings } = withReadings();
  const address = "10.0.0.7:3000";
  nodes.update([{ id: 7, address }], true);
  const owner = nodes.owner(SEVEN);
  assert.ok(owner.kind === "at");
  const isGone = async (list: RemoteNode[], complete: boolean): Promise<boolean> => {
    const judged = nodes.isGone(SEVEN, owner.route);
    readings.shift()?.(list, complete);
    return judged;
  };
  assert.equal(await isGone([{ id: 7, address }], true), false, "its lease holds");
  assert.equal(await isGone([], false), false, "the table may be old");
  nodes.update([], true);
  assert.equal(nodes.owner(SEVEN).kind, "at");
  assert.equal(await isGone([{ id: 7, address: "10.0.0.8:3000" }], true), false, "it is elsewhere now");
  assert.deepEqual(endpointOf(nodes.owner(SEVEN)), { host: "10.0.0.8", port: 3000 });
  const moved = nodes.owner(SEVEN);
  assert.ok(moved.kind === "at");
  const judged = nodes.isGone(SEVEN, moved.route);
  readings.shift()?.([], true);
  assert.equal(await judged, true);
  assert.equal(nodes.owner(SEVEN).kind, "gone");
});

test("a route has a place for so many requests, and for the next one when one has left", () => {
  const route = new Route({ path: "/nowhere" });
  for (let i = 0; i < MAX_OPEN; i++) assert.ok(route.enter());
  assert.equal(route.enter(), false);
  route.leave();
  assert.equal(route.enter(), true);
  assert.equal(route.enter(), false);
});
