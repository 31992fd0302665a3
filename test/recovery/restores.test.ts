/** How the primary gives a session to a worker, without wire: workers are told, and what they say is said by the test. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { DownMessage, Interest } from "../../src/link/messages.js";
import type { SessionChange } from "../../src/link/recovery-messages.js";
import { Anticipated } from "../../src/primary/anticipated.js";
import { BatchPositions } from "../../src/primary/batch-positions.js";
import { Recovery, type RecoveryBounds } from "../../src/primary/recovery.js";
import { encodeClaim, tagOf, type Claim } from "../../src/recovery/claim.js";
import type { FleetSessions, TakenSession } from "../../src/recovery/fleet-sessions.js";
import type { LogEntry } from "../../src/recovery/log-entry.js";
import type { SessionRecord } from "../../src/recovery/session-record.js";
import { waitFor } from "../support/wait.js";

const TAG = "hereHere";
const AMPLE: RecoveryBounds = {
  maxSessions: 100,
  maxSessionBytes: 1e6,
  maxLogBytes: 1e6,
  maxMissedBytes: 1e6,
};

type Restored = Extract<DownMessage, { t: "restored" }>;

class Worker {
  readonly heard: DownMessage[] = [];
  readonly #bodies = new Map<DownMessage, Buffer | undefined>();
  readonly #recovery: Recovery;
  readonly wid: number;
  #batch = 0;
  #restores = 0;
  #seq = 0;

  constructor(recovery: Recovery, wid: number) {
    this.#recovery = recovery;
    this.wid = wid;
    recovery.add(this);
  }

  send(message: DownMessage, body?: Buffer): void {
    this.heard.push(message);
    this.#bodies.set(message, body);
  }

  change(...sessions: SessionChange[]): void {
    const message: Interest = { t: "interest", seq: ++this.#batch, changes: [], sessions };
    this.#recovery.onInterest(this.wid, message, Buffer.alloc(0));
  }

  open(pid: string, rooms: readonly string[] = [], nsp = "/"): void {
    const stamp = [this.claim(), 0] as const;
    this.change(["open", nsp, pid, `id-${pid}`, stamp, [`id-${pid}`, ...rooms].map((room) => [room, stamp]), 0]);
  }

  claim(pos = this.#recovery.position.pos, seq = this.#seq): string {
    return encodeClaim({ tag: TAG, pos, wid: this.wid, seq, streamId: undefined });
  }

  publish(room: string, text = "x"): number {
    const message = {
      t: "publish",
      nsp: "/",
      type: 3,
      rooms: [room],
      bin: false,
      to: "members",
      seq: ++this.#seq,
    } as const;
    return this.#recovery.published(this.wid, { ...message, except: [] }, Buffer.from(text));
  }

  /** @returns its number */
  restore(pid: string, offset = "", nsp = "/"): number {
    this.#recovery.onMessage(this, { t: "restore", id: ++this.#restores, nsp, pid, offset }, Buffer.alloc(0));
    return this.#restores;
  }

  answer(id: number): { outcome: string; session: Restored["session"]; texts: string[] } | undefined {
    const found = this.heard.find((message): message is Restored => message.t === "restored" && message.id === id);
    if (found === undefined) return undefined;
    const { outcome, session } = found;
    let at = session?.dataBytes ?? 0;
    const body = this.#bodies.get(found);
    const texts = (session?.missed ?? []).map(({ bytes }) => String(body?.subarray(at, (at += bytes))));
    return { outcome, session, texts };
  }

  async answered(id: number): Promise<NonNullable<ReturnType<Worker["answer"]>>> {
    await waitFor(() => this.answer(id));
    const answer = this.answer(id);
    assert.ok(answer !== undefined);
    return answer;
  }

  release(): { id: number; pid: string; generation: number } {
    const found = this.heard.findLast((message) => message.t === "release");
    assert.ok(found?.t === "release", "told to let go");
    return found;
  }

  released(id = this.release().id): void {
    this.#recovery.onMessage(this, { t: "released", id }, Buffer.alloc(0));
  }

  resumed(id: number): void {
    this.#recovery.onMessage(this, { t: "resumed", id }, Buffer.alloc(0));
  }

  die(): void {
    this.#recovery.remove(this);
  }
}

interface Scene {
  readonly recovery: Recovery;
  readonly workers: readonly [Worker, Worker, Worker];
  readonly outcomes: string[];
  readonly refused: string[];
  /** Bodies that the hub was to log and pass on. */
  readonly delivered: string[];
  /** Whose membership is anticipated now: `wid nsp room`. */
  readonly anticipated: Set<string>;
}

function scene({
  bounds = AMPLE,
  releaseTimeoutMs = 10_000,
}: { bounds?: RecoveryBounds; releaseTimeoutMs?: number } = {}): Scene {
  const outcomes: string[] = [];
  const refused: string[] = [];
  const delivered: string[] = [];
  const anticipated = new Set<string>();
  const recovery = new Recovery({
    tag: TAG,
    bounds,
    keepMs: 60_000,
    noticeMs: 1_000,
    releaseTimeoutMs,
    now: () => performance.now(),
    deliver: (message, body) => {
      delivered.push(String(body));
      if (message.logged !== undefined) recovery.logged(message.logged);
    },
    anticipate: (wid, nsp, rooms) => {
      const names = rooms.map((room) => `${wid} ${nsp} ${room}`);
      for (const name of names) anticipated.add(name);
      return () => {
        for (const name of names) anticipated.delete(name);
      };
    },
    onOutcome: (outcome) => void outcomes.push(outcome),
    onRefused: (reason) => void refused.push(reason),
  });
  const workers = [new Worker(recovery, 1), new Worker(recovery, 2), new Worker(recovery, 3)] as const;
  return { recovery, workers, outcomes, refused, delivered, anticipated };
}

test("a session that is away is given at once, with what its client has missed, and its rooms are anticipated until it is in them", () => {
  const { workers, outcomes, anticipated } = scene();
  const [first, second] = workers;
  first.open("p", ["a"]);
  first.change(["left", "p", 1]);
  second.publish("b");
  second.publish("a", "missed");
  const id = second.restore("p");
  const answer = second.answer(id);
  assert.equal(answer?.outcome, "recovered");
  assert.deepEqual(answer.texts, ["missed"]);
  assert.deepEqual(
    [answer.session?.id, answer.session?.generation, answer.session?.rooms, answer.session?.pos, answer.session?.seq],
    ["id-p", 2, ["id-p", "a"], 2, 2],
  );
  assert.deepEqual([...anticipated], ["2 / id-p", "2 / a"]);
  second.resumed(id);
  assert.deepEqual([...anticipated], []);
  assert.deepEqual(outcomes, ["recovered"]);
});

test("a worker that has the session lets go of it first, and what it says until then counts", async () => {
  const { workers, refused } = scene();
  const [first, second] = workers;
  first.open("p");
  const id = second.restore("p");
  assert.equal(second.answer(id), undefined);
  assert.deepEqual(
    { ...first.release(), t: undefined, id: undefined },
    { pid: "p", generation: 1, t: undefined, id: undefined },
  );
  first.change(["join", "p", 1, "last", [first.claim(), 0]]);
  first.publish("last", "its last word");
  first.released();
  const answer = await second.answered(id);
  assert.deepEqual(answer.session?.rooms, ["id-p", "last"]);
  assert.deepEqual(answer.texts, ["its last word"]);
  assert.deepEqual(refused, []);
  first.change(["join", "p", 1, "too late", [first.claim(), 0]], ["left", "p", 1]);
  assert.deepEqual(refused, ["late", "late"]);
});

test("the same worker lets go of it too, before it is given it anew", async () => {
  const { workers } = scene();
  const [first] = workers;
  first.open("p");
  const id = first.restore("p");
  first.released();
  assert.equal((await first.answered(id)).session?.generation, 2);
});

test("one that is silent is fenced, one that has ended is not waited for, and another's word is not taken for its own", async () => {
  const { workers, refused } = scene({ releaseTimeoutMs: 50 });
  const [first, second, third] = workers;
  first.open("silent");
  const silent = second.restore("silent");
  assert.equal((await second.answered(silent)).outcome, "recovered");
  first.change(["left", "silent", 1]);
  assert.deepEqual(refused, ["late"]);

  const { workers: others } = scene();
  others[0].open("p");
  const id = others[1].restore("p");
  others[2].released(others[0].release().id);
  await delay(20);
  assert.equal(others[1].answer(id), undefined, "the third does not speak for the first");
  others[0].die();
  assert.equal((await others[1].answered(id)).outcome, "recovered");
  assert.ok(third.heard.length === 0);
});

test("who asks again while the session is on its way takes the first one's place", async () => {
  const { workers, outcomes } = scene();
  const [first, second, third] = workers;
  first.open("p");
  const earlier = second.restore("p");
  const later = third.restore("p");
  assert.equal(second.answer(earlier)?.outcome, "superseded");
  first.released();
  assert.equal((await third.answered(later)).outcome, "recovered");
  assert.equal(first.heard.length, 1, "asked once");
  assert.deepEqual(outcomes, ["superseded", "recovered"]);
});

test("where the worker that asked ends, the session is away, and whoever asks next gets it", async () => {
  const { workers, outcomes, recovery, anticipated } = scene();
  const [first, second, third] = workers;
  first.open("p");
  second.restore("p");
  second.die();
  first.released();
  await waitFor(() => outcomes.length === 1);
  assert.equal(recovery.state.away, 1);
  assert.equal(third.answer(third.restore("p"))?.outcome, "recovered");
  assert.equal(anticipated.size, 1);
  third.die();
  assert.deepEqual([anticipated.size, recovery.state.away], [0, 1]);
});

test("a session that ends while it is let go of is not given", async () => {
  const { workers } = scene();
  const [first, second] = workers;
  first.open("p");
  const id = second.restore("p");
  first.change(["end", "p", 1]);
  first.released();
  assert.equal((await second.answered(id)).outcome, "ended");
  assert.equal(second.answer(second.restore("p"))?.outcome, "ended");
});

test("whoever cannot be recovered is told why, and the session does not stay behind", () => {
  const { workers, recovery } = scene({ bounds: { ...AMPLE, maxMissedBytes: 10, maxLogBytes: 5_000 } });
  const [first, second] = workers;
  const outcome = (...args: Parameters<Worker["restore"]>): string | undefined =>
    second.answer(second.restore(...args))?.outcome;
  for (const pid of ["large", "old", "other"]) {
    first.open(pid, [pid], pid === "other" ? "/other" : "/");
    first.change(["left", pid, 1]);
  }
  assert.equal(outcome("nobody's"), "unknown");
  assert.equal(outcome("large", "not a claim"), "bad_offset");
  assert.equal(outcome("other"), "namespace");
  second.publish("large", "x".repeat(11));
  assert.equal(outcome("large"), "too_large");
  assert.equal(outcome("large"), "ended");
  for (let i = 0; i < 10; i++) second.publish("anywhere");
  assert.equal(outcome("old"), "trimmed");
  assert.equal(recovery.state.away, 1, "that of the other namespace can still come back");
});

test("a room that its worker has just reported counts from when the hub knew of it", () => {
  const { workers } = scene();
  const [first, second] = workers;
  first.open("p");
  first.open("q");
  const before = first.claim();
  second.publish("new", "published before the hub knew");
  first.change(["join", "p", 1, "new", [before, 3]]);
  second.publish("new", "published after");
  // Another session joins it while the report is still on its way back: from when the hub knew, not from now.
  first.change(["join", "q", 1, "new", [before, 3]], ["left", "p", 1], ["left", "q", 1]);
  for (const pid of ["p", "q"]) assert.deepEqual(second.answer(second.restore(pid))?.texts, ["published after"]);
});

test("positions of batches are found while they are young, and the oldest known stands for older ones", () => {
  const positions = new BatchPositions();
  assert.equal(positions.at(1), undefined);
  for (let batch = 1; batch <= 10_000; batch++)
    positions.add(batch, { pos: Math.floor(batch / 2) * 10, streamId: undefined });
  assert.equal(positions.at(10_000)?.pos, 50_000);
  assert.equal(positions.at(9_999)?.pos, 49_990);
  assert.equal(positions.at(20_000)?.pos, 50_000);
  const oldest = positions.at(1)?.pos ?? 0;
  assert.ok(oldest > 0 && oldest < 40_000, `${oldest}`);
});

test("anticipated members are counted: the room is theirs until the last of them is there", () => {
  const anticipated = new Anticipated<string>();
  const members = (nsp: string, ...rooms: string[]): string[] => {
    const into = new Set<string>();
    anticipated.addMembers(nsp, rooms, into);
    return [...into].toSorted();
  };
  const ends = [
    anticipated.add("w1", "/", ["a", "b"]),
    anticipated.add("w1", "/", ["a"]),
    anticipated.add("w2", "/", ["a"]),
    anticipated.add("w3", "/other", ["a"]),
  ];
  assert.deepEqual(members("/", "a"), ["w1", "w2"]);
  assert.deepEqual(members("/", "b", "c"), ["w1"]);
  assert.deepEqual(members("/"), ["w1", "w2"], "everyone");
  assert.deepEqual(members("/other"), ["w3"]);
  ends[0]?.();
  assert.deepEqual([members("/", "a"), members("/", "b")], [["w1", "w2"], []]);
  ends[1]?.();
  assert.deepEqual(members("/"), ["w2"]);
  for (const end of ends.slice(2)) end();
  assert.deepEqual([members("/"), members("/", "a"), members("/other")], [[], [], []]);
});

test("another node's takeover has the worker let go, however often the session was restored here; one from before it came here does not", async () => {
  const { recovery, workers } = scene();
  const [first, second] = workers;
  first.open("p", ["a"]);
  assert.equal(await recovery.release("p", 1), undefined);
  assert.ok(!first.heard.some(({ t }) => t === "release"), "its socket is left alone");
  first.change(["left", "p", 1]);
  second.resumed(second.restore("p"));
  const released = recovery.release("p", 2);
  await waitFor(() => second.heard.some(({ t }) => t === "release"));
  second.released();
  const record = await released;
  assert.deepEqual([record?.id, record?.generation, record?.rooms.map(([room]) => room)], ["id-p", 1, ["id-p", "a"]]);
  assert.equal(await recovery.release("p", 3), undefined, "it is gone from here");
});

test("a client that goes on while its session is on its way here: what came with the session goes on with it, and is not given again here", async () => {
  const { recovery, workers } = scene();
  const [first] = workers;
  first.open("p");
  const released = recovery.release("p", 2);
  await waitFor(() => first.heard.some(({ t }) => t === "release"));
  first.released();
  const record = await released;
  assert.ok(record !== undefined);
  const event = { nsp: "/", rooms: ["id-p"], except: [], bin: false, argsBytes: 1, body: Buffer.from("x"), atMs: 0 };
  const place = { pos: Number.MAX_SAFE_INTEGER, origin: undefined, streamId: undefined };
  const unicasts = [{ ...event, ...place, unicast: true }];
  const taken = new FakeFleet(() => ({ record: { ...record, generation: 3, unicasts } }));
  recovery.join(taken);
  first.restore("p");
  const handedOn = recovery.release("p", 4);
  taken.arrive();
  await waitFor(() => first.heard.filter(({ t }) => t === "release").length === 2);
  first.released();
  assert.deepEqual(
    (await handedOn)?.unicasts?.map(({ body }) => String(body)),
    ["x"],
  );

  const back = new FakeFleet(() => ({ record: { ...record, generation: 5 } }));
  recovery.join(back);
  const id = first.restore("p");
  back.arrive();
  assert.deepEqual((await first.answered(id)).texts, []);
});

test("what a former node says too late is given once: not what the client has had, not where it has gone on or is over", async () => {
  const { recovery, workers, delivered } = scene();
  const [first] = workers;
  const former = tagOf(randomUUID());
  const claim = (pos: number): Claim => ({ tag: former, pos, wid: 1, seq: pos, streamId: "1-0" });
  recovery.reached("1-0");
  const kept = {
    nsp: "/",
    pid: "p",
    id: "id-p",
    data: Buffer.from("{}"),
    since: claim(0),
    life: undefined,
    former: [],
  };
  const record: SessionRecord = { ...kept, generation: 2, rooms: [["id-p", claim(0)]] };
  const unicast = (pos: number): LogEntry => ({
    ...{ nsp: "/", rooms: ["id-p"], except: [], bin: false, argsBytes: 1, body: Buffer.from(String(pos)), atMs: 0 },
    ...{ pos: Number.MAX_SAFE_INTEGER, origin: claim(pos), streamId: undefined, unicast: true },
  });
  const late = { ...record, unicasts: [3, 4, 5].map(unicast) };
  const fleet = new FakeFleet(() => ({ record }));
  recovery.join(fleet);
  const id = first.restore("p", encodeClaim(claim(3)));
  // It comes while the session is on its way still.
  recovery.releasedLate(late, 2);
  fleet.arrive();
  assert.equal((await first.answered(id)).outcome, "recovered");
  await waitFor(() => delivered.length === 2);
  recovery.releasedLate(late, 1);
  await delay(20);
  assert.deepEqual(delivered, ["4", "5"]);
  // Where the connection is lost before these arrive, and that once.
  first.change(["left", "p", first.answer(id)?.session?.generation ?? NaN]);
  const again = await first.answered(first.restore("p", encodeClaim(claim(3))));
  assert.deepEqual(again.texts, ["4", "5"]);
  first.change(["end", "p", again.session?.generation ?? NaN]);
  recovery.releasedLate(late, 2);
  await delay(20);
  assert.equal(delivered.length, 2);
});

/** Another node that has the session, and lets it go when the test says so. */
class FakeFleet implements FleetSessions {
  readonly #session: () => TakenSession;
  #arrived: (() => void) | undefined;

  constructor(session: () => TakenSession) {
    this.#session = session;
  }

  arrive(): void {
    this.#arrived?.();
  }

  take(): Promise<TakenSession> {
    return new Promise((resolve) => (this.#arrived = () => resolve(this.#session())));
  }

  save(): void {}
  touch(): void {}
  left(): void {}
  end(): void {}
  saveNow = async (): Promise<void> => {};
  history = async (): Promise<[]> => [];
}
