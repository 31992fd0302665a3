/** Operations of Socket.IO that ask: every worker of every node answers. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { arrivals, connectTo, enter, fileScope, join, speakThroughFound, type Member } from "../hub/fleet.js";
import { waitFor } from "../support/wait.js";
import { connectMute, disconnected, sorted, startNodes, waitForSubscribers, workersOf, type Nodes } from "./fleet.js";

const scope = fileScope();
let fleet: Nodes;
/** Two on each node. */
let a: Member, a2: Member, b: Member, b2: Member, c: Member, c2: Member;
before(async () => {
  fleet = await startNodes(scope, { nodes: 3 });
  [a, a2, b, b2, c, c2] = fleet.members as [Member, Member, Member, Member, Member, Member];
});

let rooms = 0;
const newRoom = (): string => `room ${++rooms}`;
const nodeOf = (member: Member) => {
  const node = fleet.nodes[Math.floor(member.worker / 100) - 1];
  assert.ok(node !== undefined);
  return node;
};

test("fetchSockets finds the sockets of every node, with their rooms, data and handshake", async () => {
  const room = newRoom();
  await join(room, a, b, b2, c);
  await b.run(({ socket }) => void Object.assign(socket.data, { name: "B", bytes: Buffer.from([1]) }));
  const found = await a.run(async ({ io }, of) => {
    const sockets = await io.in(of).fetchSockets();
    return sockets.map(({ id, rooms: joined, data, handshake }) => {
      return { id, rooms: [...joined].sort(), worker: data.worker, data, query: handshake.query["EIO"] };
    });
  }, room);
  found.sort((x, y) => x.worker - y.worker);
  assert.deepEqual(
    found.map(({ id, worker, query, rooms: joined }) => ({ id, worker, query, joined })),
    [a, b, b2, c].map(({ id, worker }) => ({ id, worker, query: "4", joined: [id, room].sort() })),
  );
  assert.deepEqual(found[1]?.data, { worker: b.worker, name: "B", bytes: Buffer.from([1]) });
  for (const from of [a2, b, c2]) {
    const everyone = await from.run(async ({ io }) => (await io.fetchSockets()).map(({ id }) => id).sort());
    assert.deepEqual(everyone, fleet.members.map(({ id }) => id).sort());
  }
  const others = await c.run(
    async ({ io }, of) => (await io.except(of).fetchSockets()).map(({ id }) => id).sort(),
    room,
  );
  assert.deepEqual(others, [a2.id, c2.id].sort());
  assert.deepEqual(await c.run(async ({ io }) => (await io.local.fetchSockets()).map(({ id }) => id)), [c.id]);
  assert.deepEqual(await a.run(async ({ io }) => io.in("nobody").fetchSockets()), []);
});

test("a socket found on another node can be spoken to, asked, moved and disconnected", async () => {
  const room = newRoom();
  const guest = await connectTo(scope, nodeOf(b).url, b.worker);
  const answer = await speakThroughFound(a, guest, room);
  assert.equal(answer, b.worker);
  const [events] = await arrivals(a, [guest]);
  assert.deepEqual(events, [["hello", 1], ["hello", 2], ["ask"]]);
  const gone = disconnected(guest);
  await a.run(async ({ io }, id) => void (await io.in(id).fetchSockets())[0]?.disconnect(true), guest.id);
  assert.equal(await gone, "io server disconnect");
  await arrivals(a, fleet.members);
});

test("a broadcast with ack collects the answer of each client of every node once", async () => {
  const room = newRoom();
  const second = await connectTo(scope, nodeOf(c).url, c.worker);
  await join(room, a, b, b2, c, second);
  const all = workersOf([a, b, b2, c, second]);
  for (const from of [a, a2, b, c2])
    assert.deepEqual(sorted(await from.run(({ io }, to) => io.to(to).timeout(5_000).emitWithAck("ask"), room)), all);
  const some = await a.run(({ io }, to, not) => io.to(to).except(not).timeout(5_000).emitWithAck("ask"), room, b.id);
  assert.deepEqual(sorted(some), workersOf([a, b2, c, second]));
  assert.deepEqual(await a.run(({ io }, to) => io.to(to).timeout(5_000).emitWithAck("ask"), newRoom()), []);
  assert.deepEqual(await b.run(({ io }) => io.local.timeout(5_000).emitWithAck("ask")), [b.worker]);
  second.client.disconnect();
});

test("many requests at once do not mix, and answer in full", async () => {
  const room = newRoom();
  await join(room, a, b, c);
  const ask = async ({ io }: Parameters<Parameters<Member["run"]>[0]>[0], to: string): Promise<number[][]> => {
    const asked = Array.from({ length: 100 }, (_, n) => io.in(to).timeout(10_000).emitWithAck("echo", n));
    const fetched = Array.from({ length: 100 }, () => io.in(to).fetchSockets());
    const sent = Array.from({ length: 100 }, () => io.serverSideEmitWithAck("who"));
    const answers = (await Promise.all(asked)) as number[][];
    const mixed = answers.filter((list, n) => list.some((value) => value !== n)).length;
    const lengths = (lists: unknown[][]): number[] => [...new Set(lists.map((list) => list.length))];
    return [[mixed], lengths(answers), lengths(await Promise.all(fetched)), lengths(await Promise.all(sent))];
  };
  const results = await Promise.all([a.run(ask, room), b2.run(ask, room)]);
  assert.deepEqual(results, Array(2).fill([[0], [3], [3], [5]]));
  await arrivals(a, fleet.members);
});

test("acks bring binary from other nodes", async () => {
  const room = newRoom();
  await join(room, a, b, c);
  const answers = await a.run(async ({ io }, to) => {
    const asked = io.to(to).timeout(5_000);
    const got = (await asked.emitWithAck("echo", { list: [Buffer.from([1, 2])] })) as { list: [Buffer] }[];
    return got.map(({ list: [bytes] }) => [Buffer.isBuffer(bytes), Buffer.from(bytes).toString("hex")]);
  }, room);
  assert.deepEqual(answers, Array(3).fill([true, "0102"]));
});

test("a broadcast with ack that times out tells what did arrive from other nodes", async () => {
  const room = newRoom();
  const mutes = [await connectMute(scope, nodeOf(b), b.worker), await connectMute(scope, nodeOf(a), a2.worker)];
  await join(room, a, b, b2, c, ...mutes);
  await assert.rejects(
    a.run(({ io }, to) => io.to(to).timeout(500).emitWithAck("ask"), room),
    ({ message, responses }: Error & { responses?: unknown[] }) => {
      assert.match(message, /timed out/);
      assert.deepEqual(sorted(responses), workersOf([a, b, b2, c]));
      return true;
    },
  );
  for (const { client } of mutes) client.disconnect();
});

test("a client that leaves before it acknowledges leaves the other answers whole", async () => {
  const room = newRoom();
  const mute = await connectMute(scope, nodeOf(b), b.worker);
  await join(room, a, b, mute);
  mute.client.once("ask", () => mute.client.disconnect());
  await assert.rejects(
    a.run(({ io }, to) => io.to(to).timeout(500).emitWithAck("ask"), room),
    ({ responses }: Error & { responses?: unknown[] }) => {
      assert.deepEqual(sorted(responses), workersOf([a, b]));
      return true;
    },
  );
});

test("serverSideEmit reaches every other worker of the fleet once, with everything in its arguments", async () => {
  const since = fleet.nodes.map((node) => node.logs().length);
  await a.run(({ io }) => io.serverSideEmit("note", "text", { nested: [1] }, Buffer.from([1, 2])));
  // An answer to what is asked later comes after all that was sent before; what is logged, when it is read.
  await a.run(({ io }) => io.serverSideEmitWithAck("who"));
  const noted = () =>
    fleet.nodes.map((node, n) =>
      node
        .logs()
        .slice(since[n])
        .filter(({ msg }) => msg === "noted")
        .map(({ worker, args }) => ({ worker, args })),
    );
  await waitFor(() => noted().flat().length >= 5);
  const [first, ...others] = noted();
  const args = ["text", { nested: [1] }, "Buffer 0102"];
  const both = [0, 1].map((worker) => ({ worker, args }));
  const byWorker = (list: { worker?: number | undefined }[] | undefined) =>
    [...(list ?? [])].sort((x, y) => (x.worker ?? 0) - (y.worker ?? 0));
  assert.deepEqual(first, [{ worker: 1, args }]);
  assert.deepEqual(others.map(byWorker), [both, both]);
});

test("serverSideEmit with ack brings one answer per other worker of the fleet, from workers without sockets too", async () => {
  const workersIn = (answers: unknown): number[] =>
    sorted((answers as { worker: number }[]).map(({ worker }) => worker));
  for (const from of [a, b2]) {
    const others = workersOf(fleet.members.filter((member) => member !== from));
    assert.deepEqual(workersIn(await from.run(({ io }) => io.serverSideEmitWithAck("who", 7))), others);
    assert.deepEqual(workersIn(await from.run(({ io }) => io.of("/empty").serverSideEmitWithAck("who"))), others);
  }
  const bytes = await a.run(async ({ io }) => {
    const answers = (await io.serverSideEmitWithAck("who", Buffer.from([1]))) as { args: [Buffer] }[];
    return answers.map(({ args: [got] }) => Buffer.isBuffer(got) && got.length === 1);
  });
  assert.deepEqual(bytes, Array(5).fill(true));
});

test("serverCount counts the workers of the own node and each other node once", async () => {
  assert.equal(await a.run(({ io }) => io.of("/").adapter.serverCount()), 4);
  const inside = await enter(a, "/dynamic-count");
  assert.equal(await inside.run(({ socket }) => socket.nsp.adapter.serverCount()), 1);
  const there = await enter(b, "/dynamic-count");
  await waitForSubscribers(fleet.client, "/dynamic-count", 2);
  assert.equal(await inside.run(({ socket }) => socket.nsp.adapter.serverCount()), 2);
  for (const { client } of [inside, there]) client.disconnect();
});
