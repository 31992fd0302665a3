/** The official emitter's entries do on limpet nodes what they do on stock servers. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { connect, enter, fileScope, join, type Member } from "../hub/fleet.js";
import { emitterEntry, type EmitterCommand, type EmitterTarget } from "../support/stock-server.js";
import { waitFor } from "../support/wait.js";
import { disconnected, waitForSubscribers } from "./fleet.js";
import { startMixedFleet, type MixedFleet } from "./mixed-fleet.js";

const scope = fileScope();
let fleet: MixedFleet;
/** Two on a limpet node, one on another, one on a stock server. */
let a: Member, a2: Member, b: Member, s: Member;
let all: Member[];
before(async () => {
  fleet = await startMixedFleet(scope, { servers: 1 });
  [a, a2, b] = fleet.members as [Member, Member, Member];
  [s] = fleet.stockMembers as [Member];
  all = [a, a2, b, s];
});

const write = (command: EmitterCommand, target?: EmitterTarget): Promise<string> =>
  emitterEntry(fleet.client, command, target);

let ends = 0;

/** What each of all has received since the last time: the emitter's entries keep their order, so a last one ends the wait. */
async function received(nsp = "/", members: readonly Member[] = all): Promise<unknown[][]> {
  const end = `end ${++ends}`;
  await write({ emit: [end] }, { nsp });
  return Promise.all(
    members.map(async (member) => {
      await waitFor(() => member.received.some(([event]) => event === end), { intervalMs: 2, message: `the ${end}` });
      return member.received.splice(0, member.received.length).filter(([event]) => event !== end);
    }),
  );
}

const hello: unknown[] = [["hello", 1]];

test("its events reach rooms, sockets and everyone, but those who are excepted, once", async () => {
  await join("room", a, b, s);
  await join("spared", b);
  await write({ emit: ["hello", 1] }, { rooms: ["room"] });
  assert.deepEqual(await received(), [hello, [], hello, hello]);
  await write({ emit: ["hello", 1] }, { rooms: ["room"], except: ["spared"] });
  assert.deepEqual(await received(), [hello, [], [], hello]);
  await write({ emit: ["hello", 1] }, { except: ["room"] });
  assert.deepEqual(await received(), [[], hello, [], []]);
  await write({ emit: ["hello", 1] }, { rooms: [a2.id, b.id] });
  assert.deepEqual(await received(), [[], hello, hello, []]);
  await write({ emit: ["hello", 1] });
  assert.deepEqual(await received(), Array(4).fill(hello));
});

test("its events may hold binary and anything JSON can", async () => {
  const args = ["hello", { text: "é🐚", list: [1, null, [{}]] }] as const;
  await write({ emit: args });
  await write({ emit: ["bytes", Buffer.from([1, 2]), { deep: [Buffer.alloc(0)] }] });
  const events = [args, ["bytes", Buffer.from([1, 2]), { deep: [Buffer.alloc(0)] }]];
  assert.deepEqual(await received(), Array(4).fill(events));
});

test("a thousand of its events come in order", async () => {
  for (let n = 0; n < 1_000; n += 100)
    await Promise.all(Array.from({ length: 100 }, (_, i) => write({ emit: ["n", n + i] })));
  const events = await received();
  assert.deepEqual(events, Array(4).fill(Array.from({ length: 1_000 }, (_, n) => ["n", n])));
});

test("its events reach other namespaces, and those only", async () => {
  const inside = await Promise.all([a, b, s].map((member) => enter(member, "/dynamic-emitter")));
  await waitForSubscribers(fleet.client, "/dynamic-emitter", 3);
  await write({ emit: ["hello", 1] }, { nsp: "/dynamic-emitter" });
  assert.deepEqual(await received("/dynamic-emitter", inside), Array(3).fill(hello));
  await write({ emit: ["hello", 1] }, { nsp: "/nobody-has-it-open" });
  assert.deepEqual(await received(), Array(4).fill([]));
});

test("it moves sockets between rooms, and disconnects them", async () => {
  await write({ socketsJoin: ["moved", "moved too"] }, { rooms: [a.id] });
  await write({ socketsJoin: ["moved"] }, { rooms: ["spared"] });
  await write({ emit: ["hello", 1] }, { rooms: ["moved"] });
  await write({ socketsLeave: ["moved"] }, { rooms: [a.id] });
  await write({ emit: ["hello", 2] }, { rooms: ["moved"] });
  await write({ socketsLeave: ["moved"] });
  await write({ emit: ["hello", 3] }, { rooms: ["moved"] });
  assert.deepEqual(await received(), [
    [["hello", 1]],
    [],
    [
      ["hello", 1],
      ["hello", 2],
    ],
    [],
  ]);
  const guests = await Promise.all(fleet.nodes.map(({ url }) => connect(scope, url)));
  await join("guests", ...guests);
  const gone = Promise.all(guests.map(disconnected));
  await write({ disconnectSockets: true }, { rooms: ["guests"] });
  assert.deepEqual(await gone, Array(2).fill("io server disconnect"));
});

test("its word to the servers reaches every worker of every node once", async () => {
  const counts = (): number[] => [
    ...fleet.nodes.map((node) => node.logs().filter(({ msg }) => msg === "noted").length),
    ...fleet.servers.map((server) => server.output().split('"noted"').length - 1),
  ];
  await write({ serverSideEmit: ["note", "text", { nested: [1] }, Buffer.from([1, 2])] });
  await received();
  await waitFor(() => counts().reduce((sum, count) => sum + count) >= 5, { message: "the word everywhere" });
  assert.deepEqual(counts(), [2, 2, 1]);
  for (const node of fleet.nodes) {
    const notes = node.logs().filter(({ msg }) => msg === "noted");
    for (const { args } of notes) assert.deepEqual(args, ["text", { nested: [1] }, "Buffer 0102"]);
    assert.deepEqual(new Set(notes.map(({ worker }) => worker)), new Set([0, 1]));
  }
});
