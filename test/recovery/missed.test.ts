/** What a client has missed, and in which order, and with which claims. */
import assert from "node:assert/strict";
import test from "node:test";
import { received, type Claim, type Origin } from "../../src/recovery/claim.js";
import type { LogEntry, LoggedEvent } from "../../src/recovery/log-entry.js";
import { missedBy, type MissedQuery } from "../../src/recovery/missed.js";
import { RoomLog } from "../../src/recovery/room-log.js";

const HERE = "hereHere";
const THERE = "thereThe";
const at = (pos: number, more: Partial<Claim> = {}): Claim => ({
  tag: HERE,
  pos,
  wid: 1,
  seq: 0,
  streamId: undefined,
  ...more,
});
const START = at(0);

class Scene {
  readonly log = new RoomLog({ retentionMs: 1_000, maxBytes: Infinity });
  readonly #seqs = new Map<number, number>();

  /** A message of a worker of this node. */
  publish(wid: number, rooms: readonly string[], more: Partial<LoggedEvent> & { atMs?: number } = {}): number {
    const seq = (this.#seqs.get(wid) ?? 0) + 1;
    this.#seqs.set(wid, seq);
    return this.#append(rooms, more, (pos) => ({ tag: HERE, pos, wid, seq }));
  }

  /** A message of another node, or of a stock server. */
  read(streamId: string, rooms: readonly string[], origin?: Origin): number {
    return this.#append(rooms, { streamId }, origin);
  }

  #append(
    rooms: readonly string[],
    { atMs = 0, ...more }: Partial<LoggedEvent> & { atMs?: number },
    origin: Origin | ((pos: number) => Origin) | undefined,
  ): number {
    const event = { nsp: "/", rooms, except: [], bin: false, argsBytes: 1, streamId: undefined, unicast: false };
    return this.log.append({ ...event, body: Buffer.from("x"), ...more }, origin, atMs).pos;
  }

  missed(
    query: Partial<MissedQuery> & {
      rooms?: MissedQuery["session"]["rooms"];
      life?: Claim;
      since?: Claim;
      former?: readonly Claim[];
    },
  ): string | number[] {
    const found = this.ask(query);
    return typeof found === "string" ? found : found.map(({ entry }) => entry.pos);
  }

  ask({
    rooms = [
      ["me", START],
      ["a", START],
    ],
    life,
    since = START,
    former = [],
    ...query
  }: Parameters<Scene["missed"]>[0]): ReturnType<typeof missedBy> {
    const session = { nsp: "/", rooms, since, life, former };
    return missedBy({
      tag: HERE,
      log: this.log,
      session,
      unicastsAfter: 0,
      offset: undefined,
      maxBytes: 1_000_000,
      ...query,
    });
  }
}

test("a client that has received nothing gets everything for its rooms since it began, once and in order", () => {
  const scene = new Scene();
  scene.publish(1, ["b"]);
  const wanted = [
    scene.publish(1, ["a"]),
    scene.publish(2, []),
    scene.publish(2, ["a", "me"]),
    scene.publish(1, ["me"], { unicast: true }),
  ];
  scene.publish(2, ["b"]);
  assert.deepEqual(scene.missed({}), wanted);
  assert.deepEqual(
    scene.missed({ since: at(2) }),
    wanted.slice(1).filter((pos) => pos > 2),
  );
});

test("what the offset or the last sign of life covers is not given again", () => {
  const scene = new Scene();
  const [first, own, second] = [scene.publish(2, ["a"]), scene.publish(1, ["a"]), scene.publish(2, ["a"])];
  assert.deepEqual(scene.missed({ offset: at(first) }), [own, second]);
  assert.deepEqual(scene.missed({ offset: at(first, { seq: 1 }) }), [second], "its worker's own, ahead of the log");
  assert.deepEqual(scene.missed({ offset: at(first), life: at(own) }), [second]);
  assert.deepEqual(scene.missed({ life: at(second) }), []);
});

test("unicasts that went with the session when it was handed on are not given, whoever they came from; what is behind them is", () => {
  const scene = new Scene();
  scene.publish(1, ["me"], { unicast: true });
  const room = scene.publish(1, ["me"]);
  const handedOn = scene.publish(1, ["me"], { unicast: true });
  const after = scene.publish(1, ["me"], { unicast: true });
  assert.deepEqual(scene.missed({ unicastsAfter: handedOn }), [room, after]);
});

test("messages from before a join, and those that leave the client out, are not given", () => {
  const scene = new Scene();
  scene.publish(2, ["a"]);
  const after = scene.publish(2, ["a"]);
  scene.publish(2, ["a"], { except: ["me"] });
  scene.publish(1, ["late"]);
  const own = scene.publish(1, ["late"]);
  const rooms = [
    ["me", START],
    ["a", at(1)],
    ["late", at(1, { seq: 1 })],
  ] as const;
  assert.deepEqual(scene.missed({ rooms }), [after, own]);
});

test("each goes with a claim that holds once the client has it: cut anywhere, nothing is missed or comes twice", () => {
  const scene = new Scene();
  for (let i = 0; i < 30; i++) scene.publish(1 + (i % 3), [["a"], ["b"], ["me"], []][i % 4] ?? []);
  const offset = at(7, { wid: 2, seq: 6 });
  const whole = scene.ask({ offset });
  assert.ok(typeof whole !== "string" && whole.length > 10);
  for (const [cut, { claim }] of whole.entries()) {
    const rest = scene.missed({ offset: claim });
    assert.deepEqual(
      rest,
      whole.slice(cut + 1).map(({ entry }) => entry.pos),
    );
  }
});

test("the same between nodes, where the order is the stream's, and last comes what the stream has not shown yet", () => {
  const scene = new Scene();
  scene.log.reached("1-0");
  const there = (pos: number, wid: number, seq: number): Origin => ({ tag: THERE, pos, wid, seq });
  const [own, unshown] = [scene.publish(1, ["a"]), scene.publish(2, ["a"])];
  const [delivered, published, missed, stock] = [
    scene.read("2-0", ["a"], there(5, 3, 1)),
    scene.read("3-0", ["a"], there(6, 4, 9)),
    scene.read("4-0", ["a"], there(7, 3, 2)),
    scene.read("6-0", ["a"]),
  ];
  scene.log.shown(own, "5-0");
  const offset: Claim = { tag: THERE, pos: 5, wid: 4, seq: 9, streamId: "1-5" };
  assert.ok(delivered < published);
  const since: Claim = { ...offset, pos: 0, seq: 0, streamId: "1-0" };
  const rooms = [
    ["me", since],
    ["a", since],
  ] as const;
  const whole = scene.ask({ offset, since, rooms });
  assert.ok(typeof whole !== "string");
  assert.deepEqual(
    whole.map(({ entry }) => entry.pos),
    [missed, own, stock, unshown],
  );
  for (const [cut, { claim }] of whole.entries()) {
    const rest = scene.missed({ offset: claim, since, rooms });
    assert.deepEqual(
      rest,
      whole.slice(cut + 1).map(({ entry }) => entry.pos),
      `cut behind ${cut}`,
    );
  }
});

test("where something may have been missed that is kept no more, it says so; where nothing can have been, it goes on", () => {
  const scene = new Scene();
  scene.publish(2, ["b"], { atMs: 0 });
  const kept = scene.publish(2, ["a"], { atMs: 1_000 });
  scene.log.trim(1_001);
  assert.equal(scene.missed({}), "trimmed");
  assert.equal(scene.missed({ offset: at(0) }), "trimmed");
  assert.deepEqual(scene.missed({ offset: at(1) }), [kept]);
  assert.deepEqual(scene.missed({ offset: at(0), life: at(1) }), [kept], "a later sign of life");
  assert.deepEqual(scene.missed({ since: at(1) }), [kept], "a later start");
});

test("between nodes the stream says whether something is kept no more, and what Redis still has fills the gap", () => {
  const scene = new Scene();
  scene.log.reached("10-0");
  const inLog = scene.read("11-0", ["a"]);
  const claim = (streamId?: string): Claim => ({ tag: THERE, pos: 9, wid: 1, seq: 1, streamId });
  const since = claim("1-0");
  const rooms = [
    ["me", since],
    ["a", since],
  ] as const;
  assert.deepEqual(scene.missed({ offset: claim("10-0"), since, rooms }), [inLog]);
  assert.equal(scene.missed({ offset: claim("9-0"), since, rooms }), "trimmed");
  assert.equal(scene.missed({ offset: claim(), since: claim(), rooms }), "trimmed");
  const older = (streamId: string, room: string): LogEntry => ({
    nsp: "/",
    rooms: [room],
    except: [],
    bin: false,
    argsBytes: 1,
    body: Buffer.from("x"),
    origin: undefined,
    streamId,
    unicast: false,
    pos: Number.MAX_SAFE_INTEGER,
    atMs: 0,
  });
  const history = [older("8-0", "a"), older("9-5", "a"), older("9-6", "b")];
  const found = scene.ask({ offset: claim("9-0"), since, rooms, history });
  assert.ok(typeof found !== "string");
  assert.deepEqual(
    found.map(({ entry, claim: { streamId } }) => [entry.streamId, streamId]),
    [
      ["9-5", "9-5"],
      ["11-0", "11-0"],
    ],
  );
});

test("a client that missed more than may be sent at once starts anew", () => {
  const scene = new Scene();
  for (let i = 0; i < 11; i++) scene.publish(2, ["a"], { body: Buffer.alloc(100) });
  assert.equal(scene.missed({ maxBytes: 1_000 }), "too_large");
  assert.deepEqual(scene.missed({ maxBytes: 1_000, offset: at(1) }), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test("a client that goes to another worker keeps what it had from its first one, ahead of the log", () => {
  const scene = new Scene();
  const [other, own] = [scene.publish(2, ["a"]), scene.publish(1, ["a"])];
  const offset = at(0, { seq: 1 });
  const [first, ...rest] = scene.ask({ offset }) as readonly { entry: LogEntry; claim: Claim }[];
  assert.equal(first?.entry.pos, other);
  assert.deepEqual(rest, []);
  assert.ok(
    received({ pos: own, origin: { tag: HERE, pos: own, wid: 1, seq: 1 }, streamId: undefined }, first.claim, HERE),
  );
});

test("what the client had of a node before the last one is not given again, though the last one's claims do not speak of it", () => {
  const scene = new Scene();
  const [had, wanted] = [scene.publish(1, ["a"]), scene.publish(1, ["a"])];
  // The other node had not read them of the stream when the client was there.
  const offset = { ...at(3), tag: "elsewher", streamId: "0-1" };
  scene.log.reached("0-1");
  assert.deepEqual(scene.missed({ offset }), [had, wanted]);
  assert.deepEqual(scene.missed({ offset, former: [at(had)] }), [wanted]);
});

test("of two workers' claims at one position, the one that covers what stands behind it goes on with what is given", () => {
  const scene = new Scene();
  // The client had these two of worker 2, went to worker 1, and had its message there before the log did.
  for (let i = 0; i < 2; i++) scene.publish(2, ["a"]);
  const missed = scene.publish(3, ["a"]);
  const own = scene.publish(1, ["a"]);
  const [before, later] = [at(2, { wid: 2, seq: 2 }), at(2, { wid: 1, seq: 1 })];
  for (const query of [
    { offset: later, former: [before] },
    { offset: later, life: before },
    { offset: before, life: later },
  ]) {
    const [first, ...rest] = scene.ask(query) as readonly { entry: LogEntry; claim: Claim }[];
    assert.equal(first?.entry.pos, missed);
    assert.deepEqual(rest, []);
    assert.deepEqual(scene.missed({ offset: first.claim }), [], `${own} comes a second time`);
  }
});
