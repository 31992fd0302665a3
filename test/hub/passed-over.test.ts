/** What comes from other nodes and nobody here wants is counted, and not looked at any further; what somebody is about to want is. */
import assert from "node:assert/strict";
import test from "node:test";
import { Hub } from "../../src/primary/hub.js";
import type { HubPeer } from "../../src/primary/hub-parts.js";
import { createSid, sidPrefix } from "../../src/routing/address.js";

function start(): { readonly hub: Hub; readonly peers: readonly [HubPeer, HubPeer]; readonly skipped: () => number } {
  let skipped = 0;
  const hub = new Hub({
    received: () => undefined,
    forwarded: () => undefined,
    skipped: (copies) => void (skipped += copies),
    dropped: () => undefined,
  });
  const peerOf = (wid: number): HubPeer => ({
    wid,
    queueBytes: 0,
    send: () => undefined,
    sendBehind: () => undefined,
    offer: () => true,
  });
  const peers = [peerOf(1), peerOf(2)] as const;
  for (const peer of peers) {
    hub.add(peer);
    hub.onInterest(peer, 1, [["open", "/"]]);
  }
  return { hub, peers, skipped: () => skipped };
}

test("a room without members is passed over, and each worker counted as spared", () => {
  const { hub, peers, skipped } = start();
  assert.ok(hub.passOver("/", ["a", "b"]));
  assert.equal(skipped(), 2);
  hub.onInterest(peers[1], 2, [
    ["occupy", "/"],
    ["join", "/", "b"],
  ]);
  assert.equal(hub.passOver("/", ["a", "b"]), false);
  assert.ok(hub.passOver("/", ["a"]));
  hub.onInterest(peers[1], 3, [["leave", "/", "b"]]);
  assert.ok(hub.passOver("/", ["a", "b"]));
  assert.equal(skipped(), 6, "what is not passed over is counted where it is delivered");
});

test("a namespace with sockets is not passed over, one without is", () => {
  const { hub, peers } = start();
  assert.ok(hub.passOver("/", []));
  hub.onInterest(peers[0], 2, [["occupy", "/"]]);
  assert.equal(hub.passOver("/", []), false);
  hub.onInterest(peers[0], 3, [["vacate", "/"]]);
  assert.ok(hub.passOver("/", []));
  assert.ok(hub.passOver("/other", ["a"]));
});

test("sockets that are about to join are waited for", () => {
  const { hub, peers } = start();
  hub.onInterest(peers[0], 2, [["occupy", "/"]]);
  hub.deliver({ nsp: "/", type: 4, bin: false, rooms: [], to: "members", joins: ["b"] }, Buffer.from("{}"));
  assert.equal(hub.passOver("/", ["b"]), false);
  hub.onSettled(peers[0], 1);
  assert.ok(hub.passOver("/", ["b"]));
  const arrived = hub.anticipate(2, "/", ["c"]);
  assert.equal(hub.passOver("/", ["c"]), false);
  arrived();
  assert.ok(hub.passOver("/", ["c"]));
});

test("a socket's id is its worker's, though nobody has reported it", () => {
  const { hub } = start();
  const prefix = sidPrefix({ node: 1, slot: 5 });
  const peer: HubPeer = {
    wid: 3,
    queueBytes: 0,
    send: () => undefined,
    sendBehind: () => undefined,
    offer: () => true,
  };
  hub.add(peer, prefix);
  const id = createSid(prefix);
  hub.onInterest(peer, 1, [["open", "/"]]);
  assert.ok(hub.passOver("/", [id]), "no socket is there yet");
  hub.onInterest(peer, 2, [["occupy", "/"]]);
  assert.equal(hub.passOver("/", [id]), false);
  assert.ok(hub.passOver("/", [createSid(sidPrefix({ node: 1, slot: 6 }))]));
});
