/** The scenarios' arithmetic: a loss, a second copy, a swap and a session that starts anew are each seen. */
import assert from "node:assert/strict";
import test from "node:test";
import type { ClientReport } from "./rig/crowd-messages.js";
import { judge, quantile, tally } from "./rig/verdict.js";

const client = (given: Partial<ClientReport>): ClientReport => ({
  ...{ id: 0, rooms: ["a0", "b0"], transport: "websocket", socketIds: ["one"], disconnects: [] },
  ...{ returns: [], gapsMs: [], heard: {}, unicasts: {} },
  ...given,
});
const lost = [{ atMs: 1, reason: "transport close" }];
const back = { atMs: 2, recovered: true, intact: true };

test("what is missing, comes twice or comes late is counted, whether it was due or not", () => {
  assert.deepEqual(tally([0, 1, 2], [0, 1, 2]), { due: 3, missed: 0, twice: 0, late: 0 });
  assert.deepEqual(tally([0, 1, 2], [0, 2]), { due: 3, missed: 1, twice: 0, late: 0 });
  assert.deepEqual(tally([0, 1, 2], [0, 1, 1, 2, 0]), { due: 3, missed: 0, twice: 2, late: 0 });
  assert.deepEqual(tally([0, 1, 2], [0, 2, 1]), { due: 3, missed: 0, twice: 0, late: 1 });
  assert.deepEqual(tally([0, 2], [0, 1, 2]), { due: 2, missed: 0, twice: 0, late: 0 });
  assert.deepEqual(tally([], [5, 5]), { due: 0, missed: 0, twice: 1, late: 0 });
});

test("a client is owed what was published to its rooms, by each publisher, and nothing else", () => {
  const publishers = [
    {
      name: "p",
      published: new Map([
        ["a0", [0, 1]],
        ["b1", [0]],
      ]),
    },
    { name: "q", published: new Map([["b0", [0]]]) },
  ];
  const { messages } = judge([client({ heard: { "p a0": [0, 1], "q b0": [] } })], publishers, []);
  assert.deepEqual(messages, { due: 3, missed: 1, twice: 0, late: 0 });
});

test("what was sent to one client is looked for with that client, under each of its ids, in the order of each process", () => {
  const unicasts = [
    { pid: 7, n: 1, socketId: "one" },
    { pid: 7, n: 2, socketId: "other" },
    { pid: 7, n: 3, socketId: "one" },
    { pid: 8, n: 1, socketId: "two" },
  ];
  const clients = [client({ socketIds: ["one", "two"], unicasts: { 7: [3, 1], 9: [4, 4] } })];
  assert.deepEqual(judge(clients, [], unicasts).unicasts, { due: 3, missed: 1, twice: 1, late: 1 });
});

test("recovered is who came back each time as who it was", () => {
  const verdict = judge(
    [
      client({}),
      client({ disconnects: lost }),
      client({ disconnects: lost, returns: [back] }),
      client({ disconnects: lost, returns: [back, { ...back, intact: false }] }),
      client({ disconnects: lost, returns: [back, { ...back, recovered: false, intact: false }] }),
    ],
    [],
    [],
  );
  assert.deepEqual([verdict.struck, verdict.recovered, verdict.intact], [4, 2, 1]);
});

test("a quantile is a value that was measured, whatever their order", () => {
  assert.equal(quantile([300, 100, 200, 400], 0.5), 200);
  assert.equal(quantile([300, 100, 200, 400], 0.99), 400);
  assert.equal(quantile([7], 0.01), 7);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});
