/** The table of sessions: fences, expiry, bounds. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Claim } from "../../src/recovery/claim.js";
import { recordOf, SessionTable, type Session } from "../../src/recovery/session-table.js";

const claim = (pos: number): Claim => ({ tag: "hereHere", pos, wid: 1, seq: 0, streamId: undefined });

function table(options: Partial<ConstructorParameters<typeof SessionTable>[0]> = {}): SessionTable {
  return new SessionTable({ maxCount: 10, maxBytes: 1_000_000, keepMs: 100, ...options });
}

function open(sessions: SessionTable, pid: string, wid = 1, data = Buffer.alloc(0)): Session | undefined {
  const rooms = [[`id-${pid}`, claim(1)]] as const;
  return sessions.open(wid, { nsp: "/", pid, id: `id-${pid}`, since: claim(1), data, rooms })
    ? sessions.get(pid)
    : undefined;
}

function opened(...args: Parameters<typeof open>): Session {
  const session = open(...args);
  assert.ok(session !== undefined);
  return session;
}

test("a worker speaks for the sessions it has, in their generation, and for no others", () => {
  const sessions = table();
  const session = opened(sessions, "p");
  assert.equal(sessions.held(1, "p", 1), session);
  assert.equal(sessions.held(2, "p", 1), undefined);
  assert.equal(sessions.held(1, "p", 2), undefined);
  sessions.grant(session, 2);
  assert.equal(sessions.held(1, "p", 1), undefined, "fenced");
  assert.equal(sessions.held(2, "p", 2), session);
  sessions.grant(session, 2);
  assert.equal(sessions.held(2, "p", 2), undefined, "another connection of the same worker");
  sessions.left(session, 0);
  assert.equal(sessions.held(2, "p", 3), undefined, "away");
  assert.equal(open(sessions, "p"), undefined, "there already");
});

test("a room keeps the claim of the first join until it is left", () => {
  const sessions = table();
  const session = opened(sessions, "p");
  sessions.join(session, "a", claim(5));
  sessions.join(session, "a", claim(9));
  assert.deepEqual(session.rooms.get("a"), claim(5));
  sessions.leave(session, "a");
  sessions.join(session, "a", claim(9));
  assert.deepEqual(recordOf(session).rooms, [
    ["id-p", claim(1)],
    ["a", claim(9)],
  ]);
});

test("the sessions of a worker that ends are away, and expire after their time", () => {
  const sessions = table();
  opened(sessions, "p");
  opened(sessions, "q");
  opened(sessions, "r", 2);
  assert.deepEqual(
    sessions.workerGone(1, 1_000).map(({ pid }) => pid),
    ["p", "q"],
  );
  assert.deepEqual([sessions.connectedCount, sessions.awayCount], [1, 2]);
  const q = sessions.get("q");
  assert.ok(q !== undefined);
  sessions.grant(q, 2);
  sessions.expire(1_100);
  assert.ok(sessions.get("p") !== undefined, "its time is not over");
  sessions.expire(1_101);
  assert.equal(sessions.get("p"), undefined);
  assert.equal(sessions.endingOf("p"), "expired");
  assert.equal(sessions.endingOf("unheard"), undefined);
  assert.deepEqual([sessions.connectedCount, sessions.awayCount], [2, 0]);
  sessions.left(q, 2_000);
  assert.equal(sessions.remainingMs(q, 2_030), 70);
});

test("beyond the number those that have been away longest go, and newcomers where nobody is away", () => {
  const sessions = table({ maxCount: 3 });
  const [p, q] = [opened(sessions, "p"), opened(sessions, "q")];
  opened(sessions, "r");
  assert.equal(open(sessions, "refused"), undefined);
  sessions.left(q, 0);
  sessions.left(p, 0);
  assert.ok(open(sessions, "s") !== undefined);
  assert.equal(sessions.endingOf("q"), "evicted");
  assert.ok(sessions.get("p") !== undefined);
});

test("beyond the bytes it is the same, and data that does not fit leaves the last one", () => {
  const sessions = table({ maxBytes: 20_000 });
  const p = opened(sessions, "p", 1, Buffer.alloc(5_000));
  const q = opened(sessions, "q", 1, Buffer.alloc(5_000));
  assert.equal(sessions.setData(q, Buffer.alloc(14_000)), false);
  assert.equal(q.data.length, 5_000);
  sessions.left(p, 0);
  assert.equal(sessions.setData(q, Buffer.alloc(14_000)), true);
  assert.equal(sessions.endingOf("p"), "evicted");
  assert.equal(open(sessions, "r", 1, Buffer.alloc(9_000)), undefined);
});

test("its bytes follow what it holds, down to nothing", () => {
  const sessions = table();
  const [p, q] = [opened(sessions, "p"), opened(sessions, "q", 1, Buffer.alloc(100))];
  sessions.join(p, "a room", claim(2));
  sessions.join(p, "another", claim(2));
  sessions.leave(p, "a room");
  sessions.leave(p, "never joined");
  sessions.setData(p, Buffer.alloc(500));
  sessions.setData(p, Buffer.alloc(20));
  sessions.left(q, 0);
  assert.ok(sessions.bytes > 0);
  sessions.end(p, "ended");
  sessions.expire(1_000);
  assert.equal(sessions.bytes, 0);
});

test("a session of another node goes on in its generation, and is away until it is given to a worker", () => {
  const sessions = table();
  const other = table();
  const record = { ...recordOf(opened(other, "p")), generation: 7, life: claim(3) };
  const session = sessions.adopt(record, 0, 0);
  assert.ok(session !== undefined);
  assert.deepEqual(recordOf(session), record);
  assert.equal(sessions.awayCount, 1);
  sessions.grant(session, 4);
  assert.equal(recordOf(session).generation, 7, "the fleet counts nodes that take it over");
  assert.equal(sessions.held(4, "p", session.generation), session);
  sessions.remove(session);
  assert.equal(sessions.endingOf("p"), undefined, "it went on elsewhere");
  assert.deepEqual([sessions.bytes, sessions.connectedCount, [...sessions.of(4)]], [0, 0, []]);
});

test("of those that are over, only so many are remembered", () => {
  const sessions = table({ maxCount: 20_000, maxBytes: Infinity });
  for (let i = 0; i < 10_001; i++) sessions.end(opened(sessions, `p${i}`), "ended");
  assert.equal(sessions.endingOf("p0"), undefined);
  assert.equal(sessions.endingOf("p1"), "ended");
  assert.equal(sessions.endingOf("p10000"), "ended");
});
