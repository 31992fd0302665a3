/** Requests of other servers to this node: one answer for all its workers. */
import assert from "node:assert/strict";
import test from "node:test";
import { Answering, type Asked } from "../../src/bus/answering.js";
import { Inbox } from "../../src/bus/inbox.js";
import {
  BROADCAST,
  BROADCAST_ACK,
  BROADCAST_CLIENT_COUNT,
  FETCH_SOCKETS,
  FETCH_SOCKETS_RESPONSE,
  SERVER_SIDE_EMIT,
  SERVER_SIDE_EMIT_RESPONSE,
} from "../../src/bus/entry.js";

type Answer = [uid: string, nsp: string, type: number, data: object];

function create() {
  const answers: Answer[] = [];
  const answering = new Answering({ respond: (...answer) => void answers.push(answer) });
  return { answers, answering };
}

const asked = (type: number, more: Partial<Asked> = {}): Asked => ({
  id: "q1",
  uid: "asker",
  nsp: "/",
  type,
  timeoutMs: 60_000,
  takesParts: true,
  ...more,
});

test("the sockets of all workers leave in one answer, once the last has answered", () => {
  const { answers, answering } = create();
  answering.ask(asked(FETCH_SOCKETS), [1, 2, 3]);
  answering.onReply(2, FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: ["b", "c"] });
  answering.onReply(1, FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: ["a"] });
  assert.deepEqual(answers, []);
  answering.onReply(3, 0, { requestId: "q1" });
  assert.deepEqual(answers, [["asker", "/", FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: ["b", "c", "a"] }]]);
  assert.equal(answering.size, 0);
});

test("a request that concerns no worker is answered at once with nothing", () => {
  const { answers, answering } = create();
  answering.ask(asked(FETCH_SOCKETS), []);
  answering.ask(asked(BROADCAST, { id: "q2" }), []);
  assert.deepEqual(answers, [
    ["asker", "/", FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: [] }],
    ["asker", "/", BROADCAST_CLIENT_COUNT, { requestId: "q2", clientCount: 0 }],
  ]);
});

test("acks are passed on as they come, and counted when all have", () => {
  const { answers, answering } = create();
  answering.ask(asked(BROADCAST), [1, 2]);
  // A worker's clients may be quicker than its count.
  answering.onReply(1, BROADCAST_ACK, { requestId: "q1", packet: "x" });
  answering.onReply(1, BROADCAST_CLIENT_COUNT, { requestId: "q1", clientCount: 2 });
  answering.onReply(2, BROADCAST_CLIENT_COUNT, { requestId: "q1", clientCount: 0 });
  assert.deepEqual(answers, [["asker", "/", BROADCAST_ACK, { requestId: "q1", packet: "x" }]]);
  answering.onReply(1, BROADCAST_ACK, { requestId: "q1", packet: "y" });
  assert.deepEqual(answers.slice(1), [
    ["asker", "/", BROADCAST_ACK, { requestId: "q1", packet: "y" }],
    ["asker", "/", BROADCAST_CLIENT_COUNT, { requestId: "q1", clientCount: 2 }],
  ]);
});

test("a worker that ends owes nothing: its acks so far count, the rest is left out", () => {
  const { answers, answering } = create();
  answering.ask(asked(BROADCAST), [1]);
  answering.onReply(1, BROADCAST_CLIENT_COUNT, { requestId: "q1", clientCount: 3 });
  answering.onReply(1, BROADCAST_ACK, { requestId: "q1", packet: "x" });
  answering.gone(1);
  assert.deepEqual(answers.at(-1), ["asker", "/", BROADCAST_CLIENT_COUNT, { requestId: "q1", clientCount: 1 }]);
});

test("every worker's answer to a serverSideEmit leaves; the first stands where a stock server looks", () => {
  const { answers, answering } = create();
  answering.ask(asked(SERVER_SIDE_EMIT), [1, 2]);
  answering.onReply(2, SERVER_SIDE_EMIT_RESPONSE, { requestId: "q1", packet: "of 2" });
  answering.onReply(1, SERVER_SIDE_EMIT_RESPONSE, { requestId: "q1", packet: "of 1" });
  assert.deepEqual(answers, [
    ["asker", "/", SERVER_SIDE_EMIT_RESPONSE, { requestId: "q1", packet: "of 2", packets: ["of 2", "of 1"] }],
  ]);
});

test("shortly before a limpet node gives up it gets what there is, and how many are silent; a stock server gets nothing", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { answers, answering } = create();
  answering.ask(asked(FETCH_SOCKETS, { timeoutMs: 1_000 }), [1, 2, 3]);
  answering.ask(asked(FETCH_SOCKETS, { id: "q2", timeoutMs: 1_000, takesParts: false }), [1, 2]);
  for (const requestId of ["q1", "q2"]) answering.onReply(1, FETCH_SOCKETS_RESPONSE, { requestId, sockets: ["a"] });
  t.mock.timers.tick(799);
  assert.deepEqual(answers, []);
  t.mock.timers.tick(1);
  assert.deepEqual(answers, [["asker", "/", FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: ["a"], silent: 2 }]]);
  t.mock.timers.tick(200);
  assert.equal(answers.length, 1);
  assert.equal(answering.size, 0);
  // Too late.
  answering.onReply(2, FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: ["b"] });
  assert.equal(answers.length, 1);
});

test("answers nobody asked for, and second answers, change nothing", () => {
  const { answers, answering } = create();
  answering.ask(asked(FETCH_SOCKETS), [1, 2]);
  answering.onReply(1, FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: ["a"] });
  answering.onReply(1, FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: ["a"] });
  answering.onReply(7, FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: ["z"] });
  answering.onReply(2, FETCH_SOCKETS_RESPONSE, { requestId: "other", sockets: ["z"] });
  answering.onReply(2, FETCH_SOCKETS_RESPONSE, {});
  answering.gone(9);
  assert.deepEqual(answers, []);
  answering.onReply(2, FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: [] });
  assert.deepEqual(answers, [["asker", "/", FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: ["a"] }]]);
});

test("a stock server that has counted this node is answered although the namespace has just been closed", () => {
  const { answers, answering } = create();
  const inbox = new Inbox({
    uid: "self",
    local: {
      deliver: () => [],
      answer: () => undefined,
      settle: () => undefined,
      isOpen: () => false,
      passOver: () => false,
    },
    answering,
    log: undefined,
    now: () => 0,
    onOwn: () => undefined,
    onSkipped: () => undefined,
    onStock: () => undefined,
    onMissed: () => undefined,
  });
  const opts = { rooms: [], except: [], flags: {} };
  inbox.onRequest({ uid: "stock", nsp: "/x", type: FETCH_SOCKETS, data: { requestId: "q1", opts } });
  inbox.onRequest({ uid: "stock", nsp: "/x", type: BROADCAST, data: { requestId: "q2", opts } });
  assert.deepEqual(answers, [
    ["stock", "/x", FETCH_SOCKETS_RESPONSE, { requestId: "q1", sockets: [] }],
    ["stock", "/x", BROADCAST_CLIENT_COUNT, { requestId: "q2", clientCount: 0 }],
  ]);
});
