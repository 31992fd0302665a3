/** What Socket.IO sends and moves, on three nodes over one Redis: to whom it comes, with what inside. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { arrivals, connect, connectTo, enter, fileScope, join, type Member } from "../hub/fleet.js";
import { disconnected, startNodes, waitForSubscribers, workersOf, type Nodes } from "./fleet.js";

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
const hello = [["hello", 1]];

test("a message to a room reaches its members on every node, and nobody else", async () => {
  const room = newRoom();
  await join(room, a, b, b2);
  for (const from of [a, a2, b, c]) {
    await from.run(({ io }, to) => void io.to(to).emit("hello", 1), room);
    assert.deepEqual(await arrivals(from, fleet.members), [hello, [], hello, hello, [], []]);
  }
});

test("a message to several rooms reaches each member of the fleet once", async () => {
  const [one, two] = [newRoom(), newRoom()];
  await join(one, a, b, c);
  await join(two, b, b2, c);
  await a.run(({ io }, x, y) => void io.to([x, y]).emit("hello", 1), one, two);
  assert.deepEqual(await arrivals(a, fleet.members), [hello, [], hello, hello, hello, []]);
});

test("except spares rooms and single sockets on other nodes", async () => {
  const [room, spared] = [newRoom(), newRoom()];
  await join(room, a, b, c);
  await join(spared, b);
  await a.run(({ io }, to, not) => void io.to(to).except(not).emit("hello", 1), room, spared);
  assert.deepEqual(await arrivals(a, fleet.members), [hello, [], [], [], hello, []]);
  await a.run(({ io }, not) => void io.except(not).emit("hello", 1), c2.id);
  assert.deepEqual(await arrivals(a, fleet.members), [hello, hello, hello, hello, hello, []]);
  await b.run(({ socket }, to) => void socket.to(to).emit("hello", 1), room);
  assert.deepEqual(await arrivals(b, fleet.members), [hello, [], [], [], hello, []]);
});

test("a message to the namespace reaches everyone on every node", async () => {
  await b.run(({ io }) => void io.emit("hello", 1));
  assert.deepEqual(await arrivals(b, fleet.members), Array(6).fill(hello));
  await c.run(({ socket }) => void socket.broadcast.emit("hello", 1));
  assert.deepEqual(await arrivals(c, fleet.members), [hello, hello, hello, hello, [], hello]);
});

test("a message to a socket's id reaches it on any node", async () => {
  for (const from of [a, b, c2]) {
    await from.run(({ io }, id) => void io.to(id).emit("hello", 1), c.id);
    assert.deepEqual(await arrivals(from, fleet.members), [[], [], [], [], hello, []]);
  }
});

test("local stays on its worker; volatile and compress pass to other nodes", async () => {
  await a.run(({ io }) => void io.local.emit("hello", 1));
  assert.deepEqual(await arrivals(a, fleet.members), [hello, [], [], [], [], []]);
  await a.run(({ io }) => void io.volatile.emit("hello", 1));
  assert.deepEqual(await arrivals(a, fleet.members), Array(6).fill(hello));
  await a.run(({ io }) => void io.compress(false).emit("hello", 1));
  assert.deepEqual(await arrivals(a, fleet.members), Array(6).fill(hello));
});

test("binary and text of every kind arrive on another node as on the same worker", async () => {
  await a.run(({ io }) => {
    const part = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4);
    const view = new DataView(new Uint8Array([0, 6, 7, 0]).buffer, 1, 2);
    const nested = { deep: [{ bytes: Buffer.from("limpet") }], text: "é🐚", gone: undefined, when: new Date(0) };
    io.emit("bytes", Buffer.from([1]), new Float32Array([1.5, -2]), part, new Uint8Array([4, 5]).buffer, view, nested);
    io.emit("bytes", Buffer.alloc(0), null, [undefined], NaN);
    io.emit("text", "é🐚\u2028\0", { nested: [[[]]], gone: undefined, when: new Date(0) }, null, -0, 1e300, "");
    io.emit("é🐚");
    io.emit("large", "é".repeat(2_000_000), Buffer.alloc(3_000_000, 7));
  });
  const [onA, ...others] = await arrivals(a, fleet.members);
  assert.deepEqual(onA?.[0]?.slice(0, 5), [
    "bytes",
    Buffer.from([1]),
    Buffer.from(new Float32Array([1.5, -2]).buffer),
    Buffer.from([1, 2, 3]),
    Buffer.from([4, 5]),
  ]);
  assert.equal(onA?.length, 5);
  for (const received of others) assert.deepEqual(received, onA);
});

test("sockets of other nodes are joined to rooms, taken out of them and disconnected", async () => {
  const [room, other] = [newRoom(), newRoom()];
  await join(room, a, b, c);
  await a.run(({ io }, from, to) => void io.in(from).socketsJoin([to, `${to} too`]), room, other);
  await a.run(({ io }, to) => void io.to(to).emit("hello", 1), other);
  assert.deepEqual(await arrivals(a, fleet.members), [hello, [], hello, [], hello, []]);
  await a.run(({ io }, id, to) => void io.in(id).socketsLeave(to), c.id, other);
  await a.run(({ io }, to) => void io.to(to).emit("hello", 1), other);
  assert.deepEqual(await arrivals(a, fleet.members), [hello, [], hello, [], [], []]);

  const guests = [
    await connectTo(scope, fleet.nodes[1]?.url ?? "", b.worker),
    await connect(scope, fleet.nodes[2]?.url ?? ""),
  ];
  for (const guest of guests) await join("guests", guest);
  const reasons = Promise.all(guests.map(disconnected));
  await a.run(({ io }) => void io.in("guests").disconnectSockets());
  assert.deepEqual(await reasons, Array(2).fill("io server disconnect"));
  const [last] = [await connect(scope, fleet.nodes[1]?.url ?? "")];
  const closed = disconnected(last);
  await a.run(({ io }, id) => void io.in(id).disconnectSockets(true), last.id);
  assert.equal(await closed, "io server disconnect");
  assert.deepEqual(await arrivals(a, fleet.members), Array(6).fill([]));
});

test("an emit that comes just before a disconnect from another node arrives", async () => {
  for (let round = 0; round < 20; round++) {
    const guest = await connect(scope, fleet.nodes[2]?.url ?? "");
    const gone = disconnected(guest);
    await a.run(({ io }, id) => {
      io.to(id).emit("hello", 1);
      io.in(id).disconnectSockets(true);
    }, guest.id);
    await gone;
    assert.deepEqual(guest.received, hello);
  }
});

test("namespaces that a pattern or a function made are one over the nodes", async () => {
  for (const [nsp, auth] of [
    ["/dynamic-fleet", {}],
    ["/by-function/fleet", { key: "right" }],
  ] as const) {
    const inside = await Promise.all([a, b, c].map((member) => enter(member, nsp, auth)));
    const [first, second] = inside as [Member, Member, Member];
    await waitForSubscribers(fleet.client, nsp, 3);
    await join("room", first, second);
    await second.run(({ socket }) => void socket.nsp.to("room").emit("hello", 1));
    assert.deepEqual(await arrivals(second, inside), [hello, hello, []]);
    await second.run(({ socket }) => void socket.nsp.emit("hello", 1));
    assert.deepEqual(await arrivals(second, inside), [hello, hello, hello]);
    const found = await first.run(async ({ socket }) =>
      (await socket.nsp.fetchSockets()).map(({ data }) => data.worker as number),
    );
    assert.deepEqual(found.sort(), workersOf(inside));
    for (const { client } of inside) client.disconnect();
  }
  // Nothing of it came to the main namespace.
  assert.deepEqual(await arrivals(a, fleet.members), Array(6).fill([]));
});
