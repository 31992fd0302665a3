/** Operations of Socket.IO that ask other workers: acks, fetchSockets, serverSideEmit, serverCount. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import {
  arrivals,
  connectTo,
  enter,
  fileScope,
  join,
  speakThroughFound,
  startFleet,
  type Fleet,
  type Member,
} from "./fleet.js";

const scope = fileScope();
let fleet: Fleet;
let a: Member, b: Member, c: Member;
before(async () => {
  fleet = await startFleet(scope);
  [a, b, c] = fleet.members as [Member, Member, Member];
});

let rooms = 0;
const newRoom = (): string => `room ${++rooms}`;
const hello = [["hello", 1]];

test("what a socket sends to a room or to everyone does not come back to itself", async () => {
  const room = newRoom();
  await join(room, a, b);
  await a.run(({ socket }, to) => void socket.to(to).emit("hello", 1), room);
  assert.deepEqual(await arrivals(a, fleet.members), [[], hello, []]);
  await a.run(({ socket }) => void socket.broadcast.emit("hello", 1));
  assert.deepEqual(await arrivals(a, fleet.members), [[], hello, hello]);
  await a.run(({ socket }, to) => void socket.in(to).except(to).emit("hello", 1), room);
  assert.deepEqual(await arrivals(a, fleet.members), [[], [], []]);
});

test("a broadcast with ack collects the answer of each client, whichever worker it is on", async () => {
  const room = newRoom();
  const second = await connectTo(scope, fleet.node.url, c.worker);
  await join(room, a, b, c, second);
  const answers = await a.run(({ io }, to) => io.to(to).timeout(5_000).emitWithAck("ask"), room);
  assert.deepEqual([...(answers as number[])].sort(), [0, 1, 2, 2]);
  const elsewhere = await a.run(
    ({ io }, to, not) => io.to(to).except(not).timeout(5_000).emitWithAck("ask"),
    room,
    a.id,
  );
  assert.deepEqual([...(elsewhere as number[])].sort(), [1, 2, 2]);
  second.client.disconnect();
});

test("a broadcast with ack to nobody completes at once with nothing", async () => {
  assert.deepEqual(await a.run(({ io }, to) => io.to(to).timeout(5_000).emitWithAck("ask"), newRoom()), []);
});

test("a local broadcast with ack asks the clients of this worker only", async () => {
  assert.deepEqual(await b.run(({ io }) => io.local.timeout(5_000).emitWithAck("ask")), [1]);
});

test("many broadcasts with ack at once do not mix", async () => {
  const room = newRoom();
  await join(room, a, b, c);
  const sums = await a.run(async ({ io }, to) => {
    const asked = Array.from({ length: 200 }, (_, n) => io.in(to).timeout(5_000).emitWithAck("ask", n));
    const local = Array.from({ length: 20 }, () => io.local.timeout(5_000).emitWithAck("ask"));
    const answers = [...(await Promise.all(asked)), ...(await Promise.all(local))] as number[][];
    return answers.map((list) => list.length);
  }, room);
  assert.deepEqual(sums.slice(0, 200), Array<number>(200).fill(3));
  assert.deepEqual(sums.slice(200), Array<number>(20).fill(1));
});

test("an ack brings binary from another worker as it does from the same", async () => {
  const room = newRoom();
  await join(room, a, b);
  const answers = await a.run(async ({ io }, to) => {
    const got = (await io
      .to(to)
      .timeout(5_000)
      .emitWithAck("echo", { list: [Buffer.from([1, 2])] })) as {
      list: [Buffer];
    }[];
    return got.map(({ list: [bytes] }) => [Buffer.isBuffer(bytes), Buffer.from(bytes).toString("hex")]);
  }, room);
  assert.deepEqual(answers, [
    [true, "0102"],
    [true, "0102"],
  ]);
});

test("a broadcast with ack that times out tells what did arrive", async () => {
  const room = newRoom();
  const mute = await connectTo(scope, fleet.node.url, b.worker);
  mute.client.offAny();
  await join(room, a, c, mute);
  await assert.rejects(
    a.run(({ io }, to) => io.to(to).timeout(300).emitWithAck("ask"), room),
    (error: Error & { responses?: unknown[] }) => {
      assert.match(error.message, /timed out/);
      assert.deepEqual([...(error.responses as number[])].sort(), [0, 2]);
      return true;
    },
  );
  mute.client.disconnect();
});

test("fetchSockets finds sockets of every worker, with their rooms, data and handshake", async () => {
  const room = newRoom();
  await join(room, a, b);
  await b.run(({ socket }) => void Object.assign(socket.data, { name: "B", bytes: Buffer.from([1]) }));
  const found = await c.run(async ({ io }, of) => {
    const sockets = await io.in(of).fetchSockets();
    return sockets.map(({ id, rooms: joined, data, handshake }) => {
      return { id, rooms: [...joined].sort(), worker: data.worker, data, query: handshake.query["EIO"] };
    });
  }, room);
  found.sort((x, y) => x.worker - y.worker);
  assert.deepEqual(
    found.map(({ id, worker, query }) => ({ id, worker, query })),
    [a, b].map(({ id, worker }) => ({ id, worker, query: "4" })),
  );
  assert.ok(found.every(({ rooms: joined, id }) => joined.includes(room) && joined.includes(id)));
  assert.deepEqual(found[1]?.data, { worker: 1, name: "B", bytes: Buffer.from([1]) });
  const ids = (members: readonly Member[]): string[] => members.map(({ id }) => id).sort();
  const everyone = await c.run(async ({ io }) => (await io.fetchSockets()).map(({ id }) => id).sort());
  assert.deepEqual(everyone, ids(fleet.members));
  assert.deepEqual(await c.run(async ({ io }) => (await io.local.fetchSockets()).map(({ id }) => id)), [c.id]);
  const others = await c.run(async ({ io }, of) => (await io.except(of).fetchSockets()).map(({ id }) => id), room);
  assert.deepEqual(others, [c.id]);
});

test("a socket found on another worker can be spoken to, asked, moved and disconnected", async () => {
  const room = newRoom();
  const guest = await connectTo(scope, fleet.node.url, b.worker);
  const answer = await speakThroughFound(a, guest, room);
  assert.equal(answer, b.worker);
  const [events] = await arrivals(a, [guest]);
  assert.deepEqual(events, [["hello", 1], ["hello", 2], ["ask"]]);
  const gone = new Promise((resolve) => guest.client.once("disconnect", resolve));
  await a.run(async ({ io }, id) => void (await io.in(id).fetchSockets())[0]?.disconnect(true), guest.id);
  assert.equal(await gone, "io server disconnect");
  await arrivals(a, fleet.members);
});

test("serverSideEmit reaches the other workers, with everything in its arguments", async () => {
  const since = fleet.node.logs().length;
  await a.run(({ io }) => io.serverSideEmit("note", "text", { nested: [1] }, Buffer.from([1, 2])));
  const noted = (worker: number): Promise<unknown> =>
    fleet.node.waitForLog(
      (line) => line.msg === "noted" && line.worker === worker && fleet.node.logs().indexOf(line) >= since,
    );
  for (const { worker } of [b, c])
    assert.deepEqual(((await noted(worker)) as { args: unknown }).args, ["text", { nested: [1] }, "Buffer 0102"]);
  await arrivals(a, fleet.members);
  assert.ok(
    !fleet.node
      .logs()
      .slice(since)
      .some((line) => line.msg === "noted" && line.worker === a.worker),
  );
});

test("serverSideEmit with ack brings one answer per other worker, from workers without sockets too", async () => {
  const workersOf = (answers: { worker: number }[]): number[] => answers.map(({ worker }) => worker).sort();
  const main = await a.run(({ io }) => io.serverSideEmitWithAck("who", 7));
  assert.deepEqual(workersOf(main as never), [1, 2]);
  assert.deepEqual((main as never[])[0]?.["args"], [7]);
  const empty = await b.run(({ io }) => io.of("/empty").serverSideEmitWithAck("who"));
  assert.deepEqual(workersOf(empty as never), [0, 2]);
  const bytes = await a.run(async ({ io }) => {
    const answers = (await io.serverSideEmitWithAck("who", Buffer.from([1]))) as { args: [Buffer] }[];
    return answers.map(({ args: [got] }) => Buffer.isBuffer(got) && got.length === 1);
  });
  assert.deepEqual(bytes, [true, true]);
});

test("serverCount counts the workers that have the namespace open", async () => {
  assert.equal(await a.run(({ io }) => io.of("/").adapter.serverCount()), 3);
  assert.equal(await a.run(({ io }) => io.of("/custom").adapter.serverCount()), 3);
  const inside = await enter(a, "/dynamic-count");
  assert.equal(await inside.run(({ socket }) => socket.nsp.adapter.serverCount()), 1);
  const other = await enter(b, "/dynamic-count");
  assert.equal(await inside.run(({ socket }) => socket.nsp.adapter.serverCount()), 2);
  inside.client.disconnect();
  other.client.disconnect();
});
