/** Plain events pass the hub as the frames they came in: the same as others to who gets them, to the log, and to the bus. */
import assert from "node:assert/strict";
import test from "node:test";
import { encodePublishedEvent, FrameReader } from "../../src/link/frame.js";
import type { Deliver, Publish } from "../../src/link/messages.js";
import { EVENT_ARGS_AT } from "../../src/link/payload.js";
import { Hub } from "../../src/primary/hub.js";
import type { HubCounters, HubPeer, Outside } from "../../src/primary/hub-parts.js";

/** A worker that has the namespace open and one room. */
class Peer implements HubPeer {
  readonly queueBytes = 0;
  readonly delivered: { header: Deliver; args: string; wasFrame: boolean }[] = [];
  isFull = false;
  readonly #reader = new FrameReader();

  constructor(readonly wid: number) {}

  send(): void {
    // What must arrive is not the subject.
  }

  sendBehind(): void {
    // Nor is this.
  }

  offer(frame: readonly Buffer[]): boolean {
    if (this.isFull) return false;
    this.#reader.push(Buffer.concat(frame), (header, body, whole) => {
      const deliver = header as Deliver;
      const args = body.toString("utf8", EVENT_ARGS_AT, EVENT_ARGS_AT + (deliver.event?.bytes ?? 0));
      this.delivered.push({ header: deliver, args, wasFrame: whole !== undefined });
    });
    return true;
  }
}

class Counters implements HubCounters {
  readonly counts = { received: 0, forwarded: 0, skipped: 0, dropped: 0 };
  received = (): void => void this.counts.received++;
  forwarded = (copies: number): void => void (this.counts.forwarded += copies);
  skipped = (copies: number): void => void (this.counts.skipped += copies);
  dropped = (): void => void this.counts.dropped++;
}

function start(withLog: boolean): {
  readonly peers: readonly [Peer, Peer, Peer, Peer];
  readonly counts: Counters["counts"];
  readonly outside: { message: Publish; pos: number | undefined; body: string }[];
  readonly logged: Publish[];
  readonly publish: (from: Peer, args: string, seq?: number, except?: readonly string[]) => void;
} {
  const counters = new Counters();
  const hub = new Hub(counters);
  const logged: Publish[] = [];
  const outside: { message: Publish; pos: number | undefined; body: string }[] = [];
  if (withLog)
    hub.record({
      position: { pos: 0 },
      published: (_wid, message) => 100 + logged.push(message),
      logged: () => assert.fail("nothing comes from outside"),
      receivers: () => [],
    });
  hub.join({
    publish: (_wid, message, body, pos) => {
      outside.push({ message, pos, body: body.toString() });
      return false;
    },
    opened: () => undefined,
  } as Partial<Outside> as Outside);
  const peers = [new Peer(1), new Peer(2), new Peer(3), new Peer(4)] as const;
  for (const peer of peers) {
    hub.add(peer);
    hub.onInterest(peer, 1, [
      ["open", "/ä"],
      ["occupy", "/ä"],
      ...(peer.wid < 4 ? [["join", "/ä", "raum"] as const] : []),
    ]);
  }
  return {
    peers,
    counts: counters.counts,
    outside,
    logged,
    publish(from, args, seq, except = []) {
      const frame = encodePublishedEvent("/ä", args, { rooms: ["raum"], except, flags: {} }, seq);
      new FrameReader().push(Buffer.concat(frame), (header, body, whole) =>
        hub.onPublish(from, header as Publish, body, whole),
      );
    },
  };
}

const LONG = JSON.stringify(["m", "ü".repeat(40_000)]);

test("a plain event reaches the others with members in the room, short or long", () => {
  const { peers, counts, outside, publish } = start(false);
  const [publisher, second, third, elsewhere] = peers;
  const all = ['["m",1]', LONG, '["m","ö"]'];
  for (const args of all) publish(publisher, args, undefined, ["not you"]);
  for (const peer of [second, third]) {
    assert.deepEqual(
      peer.delivered.map(({ args }) => args),
      all,
    );
    assert.deepEqual(
      peer.delivered.map(({ wasFrame }) => wasFrame),
      [true, false, true],
    );
    for (const { header } of peer.delivered) {
      assert.equal(header.from, 1);
      assert.deepEqual(header.event?.rooms, ["raum"]);
      assert.deepEqual(header.event.except, ["not you"]);
      assert.equal("pos" in header, false);
    }
  }
  assert.equal(publisher.delivered.length + elsewhere.delivered.length, 0);
  assert.deepEqual(
    outside.map(({ message, pos }) => [message.nsp, message.rooms, pos]),
    all.map(() => ["/ä", ["raum"], undefined]),
  );
  assert.deepEqual(counts, { received: 3, forwarded: 6, skipped: 3, dropped: 0 });
});

test("with recovery each delivery says where the log has it, whatever the frame", () => {
  const { peers, outside, logged, publish } = start(true);
  const [publisher, second] = peers;
  publish(publisher, '["m",1]', 7);
  publish(publisher, LONG, 8);
  // Volatile ones have no number, and no place.
  publish(publisher, '["v"]');
  publish(publisher, '["m",2]', 9);
  assert.deepEqual(
    second.delivered.map(({ header }) => header.pos),
    [101, 102, undefined, 103],
  );
  assert.deepEqual(
    outside.map(({ pos }) => pos),
    [101, 102, undefined, 103],
  );
  assert.deepEqual(
    logged.map(({ seq }) => seq),
    [7, 8, 9],
  );
  assert.deepEqual(
    logged.map(({ event }) => event?.bytes),
    [7, Buffer.byteLength(LONG), 7],
  );
});

test("a worker that does not read is left out and counted, the others get theirs", () => {
  const { peers, counts, publish } = start(false);
  const [publisher, second, third] = peers;
  second.isFull = true;
  publish(publisher, '["m",1]');
  assert.equal(third.delivered.length, 1);
  assert.deepEqual(counts, { received: 1, forwarded: 1, skipped: 1, dropped: 1 });
});
