/** Requests of this node to the rest of the fleet: settled when everyone who owes an answer has given it or is gone. */
import assert from "node:assert/strict";
import test from "node:test";
import { Asking } from "../../src/bus/asking.js";
import {
  BROADCAST_ACK,
  BROADCAST_CLIENT_COUNT,
  FETCH_SOCKETS_RESPONSE,
  SERVER_SIDE_EMIT_RESPONSE,
} from "../../src/bus/entry.js";

const WID = 4;

/** A fleet whose servers the test names. */
function create(...uids: string[]) {
  const said: unknown[] = [];
  const failures: Error[] = [];
  const fleet = { uids: new Set(uids), nowMs: 0, isAway: false };
  const asking = new Asking({
    local: {
      deliver: () => [],
      answer: (wid, nsp, type, data) => void said.push([wid, nsp, type, data]),
      settle: (wid, nsp, requestId) => void said.push(["settled", wid, nsp, requestId]),
      isOpen: () => true,
      passOver: () => false,
    },
    countServers: async (_nsp, among) => {
      if (fleet.isAway) throw new Error("Redis is away");
      return { others: fleet.uids.size, alive: new Set(among.filter((uid) => fleet.uids.has(uid))) };
    },
    now: () => fleet.nowMs,
    onFailure: (error) => void failures.push(error),
  });
  const counted = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const fetched = (uid: string, more: object = {}): void =>
    asking.onResponse({ uid, type: FETCH_SOCKETS_RESPONSE, data: { requestId: "q1", sockets: [uid], ...more } });
  return { said, failures, fleet, asking, counted, fetched };
}

const socketsOf = (uid: string) => [WID, "/", FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: [uid] }];
const settled = ["settled", WID, "/", "q1"];

test("a request is settled when every server has answered, and not before they are counted", async () => {
  const { said, asking, counted, fetched } = create("x", "y");
  asking.open("q1", WID, "/", 5_000);
  fetched("x");
  fetched("y");
  assert.deepEqual(said, [socketsOf("x"), socketsOf("y")]);
  await counted();
  assert.deepEqual(said.slice(2), [settled]);
  assert.equal(asking.size, 0);
  fetched("x");
  assert.equal(said.length, 3);
});

test("a fleet of one is settled at once", async () => {
  const { said, asking, counted } = create();
  asking.open("q1", WID, "/", 5_000);
  await counted();
  assert.deepEqual(said, [settled]);
});

test("a server that ends before it answers is dropped, one that ends afterwards still counts", async () => {
  const { said, fleet, asking, counted, fetched } = create("x", "y", "z");
  asking.open("q1", WID, "/", 5_000);
  await counted();
  fetched("x");
  fleet.uids.delete("x");
  asking.check();
  await counted();
  assert.deepEqual(said, [socketsOf("x")], "y and z still owe theirs");
  fleet.uids.delete("y");
  asking.check();
  await counted();
  assert.equal(said.length, 1, "z still owes its own");
  fetched("z");
  assert.deepEqual(said.slice(1), [socketsOf("z"), settled]);
});

test("a node that tells of silent workers has not said all: the request stays open", async () => {
  const { said, fleet, asking, counted, fetched } = create("x");
  asking.open("q1", WID, "/", 5_000);
  await counted();
  fetched("x", { silent: 1 });
  fleet.nowMs = 4_999;
  asking.check();
  await counted();
  assert.deepEqual(said, [socketsOf("x")]);
  assert.equal(asking.size, 1);
  fleet.nowMs = 5_000;
  asking.check();
  assert.equal(asking.size, 0);
});

test("a server that opens the namespace after the request was sent owes it nothing", async () => {
  const { said, fleet, asking, counted, fetched } = create("x");
  asking.open("q1", WID, "/", 5_000);
  await counted();
  fleet.uids.add("newcomer");
  asking.check();
  await counted();
  fetched("x");
  assert.deepEqual(said, [socketsOf("x"), settled]);
});

test("a broadcast's acks are due in the number that each server tells, in whichever order they come", async () => {
  const { said, asking, counted } = create("x", "y");
  const respond = (uid: string, type: number, data: object): void =>
    asking.onResponse({ uid, type, data: { requestId: "q1", ...data } });
  asking.open("q1", WID, "/", 5_000);
  await counted();
  respond("x", BROADCAST_ACK, { packet: 1 });
  respond("y", BROADCAST_CLIENT_COUNT, { clientCount: 0 });
  respond("x", BROADCAST_CLIENT_COUNT, { clientCount: 2 });
  assert.equal(said.length, 1);
  respond("x", BROADCAST_ACK, { packet: 2 });
  assert.deepEqual(said, [
    [WID, "/", BROADCAST_ACK, { requestId: "q1", packet: 1 }],
    [WID, "/", BROADCAST_ACK, { requestId: "q1", packet: 2 }],
    settled,
  ]);
});

test("a limpet node's answers to serverSideEmit are those of its workers; a stock server has one", async () => {
  const { said, asking, counted } = create("node", "stock");
  const respond = (uid: string, data: object): void =>
    asking.onResponse({ uid, type: SERVER_SIDE_EMIT_RESPONSE, data: { requestId: "q1", ...data } });
  asking.open("q1", WID, "/", 5_000);
  await counted();
  respond("node", { packet: "a", packets: ["a", "b"] });
  respond("stock", { packet: "c" });
  assert.deepEqual(
    said,
    [..."abc"]
      .map((packet): unknown => [WID, "/", SERVER_SIDE_EMIT_RESPONSE, { requestId: "q1", packet }])
      .concat([settled]),
  );
});

test("a count that fails is told, and made again", async () => {
  const { said, failures, fleet, asking, counted } = create();
  fleet.isAway = true;
  asking.open("q1", WID, "/", 5_000);
  await counted();
  assert.deepEqual([said, failures.map(({ message }) => message)], [[], ["Redis is away"]]);
  fleet.isAway = false;
  asking.check();
  await counted();
  assert.deepEqual(said, [settled]);
});

test("requests of a worker that has ended are forgotten", async () => {
  const { said, asking, counted, fetched } = create("x");
  asking.open("q1", WID, "/", 5_000);
  asking.gone(WID + 1);
  assert.equal(asking.size, 1);
  asking.gone(WID);
  assert.equal(asking.size, 0);
  fetched("x");
  await counted();
  assert.deepEqual(said, []);
});

test("an answer that cannot be read throws, and leaves the request open", async () => {
  const { said, asking, counted } = create("x");
  asking.open("q1", WID, "/", 5_000);
  await counted();
  assert.throws(
    () => asking.onResponse({ uid: "x", type: FETCH_SOCKETS_RESPONSE, data: { requestId: "q1" } }),
    /without sockets/,
  );
  assert.throws(() => asking.onResponse({ uid: "x", type: 99, data: { requestId: "q1" } }), /unknown type 99/);
  assert.deepEqual([said, asking.size], [[], 1]);
});
