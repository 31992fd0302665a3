/** What a worker tells of its sessions, and when; and how it is given one. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import test from "node:test";
import type { RecoveryUp, SessionChange } from "../../../src/link/recovery-messages.js";
import type { RecoverableSocket } from "../../../src/worker/internals.js";
import { ClaimClock } from "../../../src/worker/recovery/claim-clock.js";
import type { LiveSession } from "../../../src/worker/recovery/live-session.js";
import { Restoring } from "../../../src/worker/recovery/restoring.js";
import { fromBytes, NO_DATA, toBytes } from "../../../src/worker/recovery/session-data.js";
import { Sessions } from "../../../src/worker/recovery/sessions.js";

const TAG = "abcdefgh";

function startSessions({ held = false } = {}) {
  const clock = new ClaimClock(TAG, 1);
  const changes: [...SessionChange][] = [];
  const data: unknown[] = [];
  const errors: [message: string, isFirst: boolean][] = [];
  const sessions = new Sessions({
    clock,
    report: (change, bytes) => {
      changes.push([...change]);
      if (bytes !== undefined) data.push(fromBytes(bytes));
    },
    isHeld: () => held,
    unknownBatch: (_, room) => (room === "new" ? 4 : 0),
    maxDataBytes: 100,
    onUnkept: (_, error, isFirst) => errors.push([(error as Error).message, isFirst]),
  });
  const conn = Object.assign(new EventEmitter(), { protocol: 4, readyState: "open" });
  const client = { conn, id: "sid", sockets: new Map() };
  const open = (pid: string, value: unknown = {}): LiveSession => {
    const socket = { id: `id-${pid}`, pid, data: value, client } as unknown as RecoverableSocket;
    const session: LiveSession = {
      nsp: "/",
      pid,
      id: socket.id,
      generation: 1,
      socket,
      forget: () => undefined,
      data: NO_DATA,
      isMarked: false,
      hasComplained: false,
      life: undefined,
    };
    sessions.open(session, [socket.id, "new"]);
    return session;
  };
  return { clock, sessions, changes, data, errors, conn, open };
}

test("a new session is told with its rooms, each stamped with the claim and the message that tells the hub of it", () => {
  const { changes, data, open } = startSessions();
  open("p", { name: "Ada" });
  const now = "abcdefgh.0.1.0";
  assert.deepEqual(changes, [
    [
      "open",
      "/",
      "p",
      "id-p",
      [now, 0],
      [
        ["id-p", [now, 0]],
        ["new", [now, 4]],
      ],
      toBytes({ name: "Ada" }, 100).length,
    ],
  ]);
  assert.deepEqual(data, [{ name: "Ada" }]);
});

test("data is looked at when a packet came, at the next sweep, and told where it differs", () => {
  const { sessions, changes, data, conn, open } = startSessions();
  const session = open("p");
  changes.length = data.length = 0;
  (session.socket as { data: unknown }).data = { n: 1 };
  sessions.sweep();
  assert.deepEqual(changes, [], "nothing has happened");
  conn.emit("packet", { type: "message" });
  conn.emit("packet", { type: "message" });
  assert.deepEqual(changes, [], "the handler has its time");
  sessions.sweep();
  assert.deepEqual([changes.length, data], [1, [{ n: 1 }]]);
  conn.emit("packet", { type: "pong" });
  sessions.sweep();
  assert.equal(changes.length, 1, "as it was");
});

test("data that cannot be kept is complained of each time and named once; what was kept stays", () => {
  const { sessions, changes, errors, conn, open } = startSessions();
  const session = open("p", { n: 1 });
  changes.length = 0;
  for (let n = 0; n < 2; n++) {
    (session.socket as { data: unknown }).data = { n, act: () => n };
    conn.emit("packet", { type: "message" });
    sessions.sweep();
  }
  assert.deepEqual(
    errors.map(([, isFirst]) => isFirst),
    [true, false],
  );
  assert.deepEqual(changes, []);
  assert.deepEqual(fromBytes(session.data), { n: 1 });
  assert.throws(() => sessions.checkpoint(session), /could not be cloned/);
});

test("a pong proves the claim of its ping for the sessions that were there then, told at the next sweep", () => {
  const { clock, sessions, changes, conn, open } = startSessions();
  open("p");
  changes.length = 0;
  clock.advance(5, undefined);
  conn.emit("packetCreate", { type: "ping" });
  clock.advance(9, undefined);
  conn.emit("heartbeat");
  assert.deepEqual(changes, []);
  sessions.sweep();
  assert.deepEqual(changes, [["life", "p", 1, "abcdefgh.5.1.0"]]);
  conn.emit("heartbeat");
  sessions.sweep();
  assert.equal(changes.length, 1, "a pong without a ping proves nothing");
  conn.emit("packetCreate", { type: "ping" });
  open("q");
  changes.length = 0;
  conn.emit("heartbeat");
  sessions.sweep();
  assert.deepEqual(changes, [], "what the new one was sent may be behind that ping");
});

test("a ping while something waits for the hub proves nothing", () => {
  const { sessions, changes, conn, open } = startSessions({ held: true });
  open("p");
  changes.length = 0;
  conn.emit("packetCreate", { type: "ping" });
  conn.emit("heartbeat");
  sessions.sweep();
  assert.deepEqual(changes, []);
});

test("a session that leaves is told with its last data; one that goes elsewhere is not told of any more", () => {
  const { clock, sessions, changes, data, conn, open } = startSessions();
  const p = open("p");
  const q = open("q");
  clock.advance(3, undefined);
  conn.emit("packetCreate", { type: "ping" });
  conn.emit("heartbeat");
  changes.length = data.length = 0;
  (p.socket as { data: unknown }).data = { last: 1 };
  sessions.left(p);
  assert.deepEqual(
    changes.map(([kind, pid]) => [kind, pid]),
    [
      ["life", "p"],
      ["data", "p"],
      ["left", "p"],
    ],
  );
  assert.deepEqual(data, [{ last: 1 }]);
  sessions.forget(q);
  changes.length = 0;
  conn.emit("packet", { type: "message" });
  sessions.sweep();
  assert.deepEqual(changes, []);
  assert.equal(sessions.get("q"), undefined);
});

function startRestoring(maxKeptBytes = 1_000) {
  const clock = new ClaimClock(TAG, 1);
  const told: RecoveryUp[] = [];
  const changes: SessionChange[] = [];
  const restoring = new Restoring({
    clock,
    tell: (message) => told.push(message),
    report: (change) => changes.push(change),
    maxKeptBytes,
  });
  const publish = (room: string, bytes = 10): void => {
    clock.count();
    const args = JSON.stringify([room, clock.seq]);
    const { claim } = clock;
    const rooms = new Set([room]);
    if (restoring.isAsking)
      restoring.keepOwn({ nsp: "/", rooms, except: new Set(), content: () => ({ args }), bytes, claim });
  };
  const answer = (id: number, seq: number, pos = 20): void => {
    const session = { id: "id", generation: 2, rooms: ["id", "room"], dataBytes: 0, missed: [], pos, seq };
    restoring.onRestored({ t: "restored", id, outcome: "recovered", session }, Buffer.alloc(0));
  };
  return { clock, told, changes, restoring, publish, answer };
}

const plainEncoder = { encode: () => [] };

test("what a worker publishes while it waits for a session is added, unless the log had it", async () => {
  const { clock, told, restoring, publish, answer } = startRestoring();
  publish("room");
  const asked = restoring.ask("/", "p", "offset");
  assert.deepEqual(told, [{ t: "restore", id: 1, nsp: "/", pid: "p", offset: "offset" }]);
  for (const room of ["room", "room", "other", "room"]) publish(room);
  answer(1, 2);
  const arrival = await asked;
  assert.ok(arrival !== undefined);
  assert.equal(restoring.arrivals("/").get("id"), arrival);
  assert.equal(restoring.arrivalOf("p"), arrival);
  assert.equal(clock.claim.pos, 20, "the answer says how far the log was");
  assert.deepEqual(
    [...arrival.events(plainEncoder)],
    [['2["room",3,"abcdefgh.k.1.3"]'], ['2["room",5,"abcdefgh.k.1.5"]']],
  );
  restoring.resumed(arrival);
  assert.deepEqual(told.at(-1), { t: "resumed", id: 1 });
  assert.equal(restoring.arrivals("/").size, 0);
  assert.equal(restoring.isAsking, false);
});

test("a worker that publishes more than it can keep meanwhile gives the session back and asks again, three times at most", async () => {
  const { told, changes, restoring, publish, answer } = startRestoring(25);
  const asked = restoring.ask("/", "p", "");
  for (let id = 1; id <= 3; id++) {
    for (let n = 0; n < 3; n++) publish("room");
    answer(id, 0);
  }
  assert.equal(await asked, undefined);
  assert.deepEqual(
    told.map((message) => message.t),
    ["restore", "resumed", "restore", "resumed", "restore", "resumed"],
  );
  assert.deepEqual(changes, Array(3).fill(["left", "p", 2]));
});

test("a client that cannot be recovered starts anew", async () => {
  const { restoring } = startRestoring();
  const asked = restoring.ask("/", "p", "");
  restoring.onRestored({ t: "restored", id: 1, outcome: "unknown" }, Buffer.alloc(0));
  assert.equal(await asked, undefined);
  assert.equal(restoring.isAsking, false);
});
