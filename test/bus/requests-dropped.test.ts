/** A request from outside that a worker's full wire could not take: the asker hears that an answer is missing. */
import assert from "node:assert/strict";
import test from "node:test";
import { Hub } from "../../src/primary/hub.js";
import type { HubPeer } from "../../src/primary/hub-parts.js";

test("a worker whose wire is full owes an answer to what other nodes ask", () => {
  const counts = { forwarded: 0, dropped: 0 };
  const hub = new Hub({
    received: () => undefined,
    forwarded: (copies) => void (counts.forwarded += copies),
    skipped: () => undefined,
    dropped: () => void counts.dropped++,
  });
  const peers = [1, 2].map((wid): HubPeer => ({
    wid,
    queueBytes: 0,
    send: () => undefined,
    sendBehind: () => undefined,
    offer: () => wid === 1,
  }));
  for (const peer of peers) {
    hub.add(peer);
    hub.onInterest(peer, 1, [
      ["open", "/"],
      ["occupy", "/"],
    ]);
  }
  const wids = hub.deliver({ nsp: "/", type: 7, bin: false, rooms: [], to: "members" }, Buffer.from("{}"));
  assert.deepEqual([wids, counts], [[1, 2], { forwarded: 1, dropped: 1 }]);
});
