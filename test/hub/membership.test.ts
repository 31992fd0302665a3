/** Joins, leaves and disconnects made from another worker, and namespaces of every kind. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import {
  arrivals,
  connect,
  connectTo,
  enter,
  fileScope,
  join,
  refusal,
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

test("socketsJoin and socketsLeave move sockets on every worker, and what is published next goes by it", async () => {
  const [from, to] = [newRoom(), newRoom()];
  await join(from, b, c);
  await a.run(
    ({ io }, x, y) => {
      io.in(x).socketsJoin(y);
      io.to(y).emit("hello", 1);
      io.in(y).socketsLeave(x);
      io.to(x).emit("hello", 2);
    },
    from,
    to,
  );
  assert.deepEqual(await arrivals(a, fleet.members), [[], hello, hello]);
});

test("joins that follow from joins reach other workers, time after time", async () => {
  const room = newRoom();
  await join(room, b);
  const chain = Array.from({ length: 5 }, newRoom);
  for (let round = 0; round < 50; round++) {
    await a.run(
      ({ io }, start, list, n) => {
        let last = start;
        for (const next of list) {
          io.in(last).socketsJoin(next);
          last = next;
        }
        io.to(last).emit("n", n);
        io.socketsLeave(list);
        io.to(last).emit("late", n);
      },
      room,
      chain,
      round,
    );
  }
  const [onA, onB] = await arrivals(a, [a, b]);
  assert.deepEqual(onA, []);
  assert.deepEqual(
    onB,
    Array.from({ length: 50 }, (_, n) => ["n", n]),
  );
});

test("a whole namespace joins a room and is reached there at once", async () => {
  const room = newRoom();
  await c.run(({ io }, to) => {
    io.socketsJoin([to, `${to} too`]);
    io.to(`${to} too`).emit("hello", 1);
  }, room);
  assert.deepEqual(await arrivals(c, fleet.members), [hello, hello, hello]);
});

test("disconnectSockets takes sockets of other workers out, with their connection if asked", async () => {
  const guests = await Promise.all([1, 2].map(() => connectTo(scope, fleet.node.url, b.worker)));
  const [one, two] = guests as [Member, Member];
  const stay = await enter(one, "/custom");
  const reason = (member: Member): Promise<string> =>
    new Promise((resolve) => member.client.once("disconnect", resolve));
  const [first, second] = [reason(one), reason(two)];
  await a.run(({ io }, id) => void io.in(id).disconnectSockets(), one.id);
  assert.equal(await first, "io server disconnect");
  assert.equal(
    await stay.run(({ io }) => io.of("/custom").sockets.size),
    1,
    "the connection stays for other namespaces",
  );
  const closed = new Promise((resolve) => two.client.io.engine.once("close", resolve));
  await a.run(({ io }, id) => void io.in(id).disconnectSockets(true), two.id);
  assert.equal(await second, "io server disconnect");
  await closed;
  one.client.io.engine.close();
});

test("namespaces keep apart: rooms, messages and requests of one are not another's", async () => {
  const room = newRoom();
  await join(room, a, b);
  const [customA, customB] = [await enter(a, "/custom"), await enter(b, "/custom")];
  await join(room, customB);
  await customA.run(({ socket }, to) => void socket.nsp.to(to).emit("hello", 1), room);
  assert.deepEqual(await arrivals(customA, [customA, customB]), [[], hello]);
  assert.deepEqual(await arrivals(a, fleet.members), [[], [], []]);
  const found = await customA.run(async ({ socket }) => (await socket.nsp.fetchSockets()).map(({ id }) => id).sort());
  assert.deepEqual(found, [customA.id, customB.id].sort());
  customA.client.disconnect();
  customB.client.disconnect();
});

for (const [kind, name, auth] of [
  ["a pattern", "/dynamic-one", {}],
  ["a function", "/by-function/one", { key: "right" }],
] as const) {
  test(`a namespace made by ${kind} works across workers`, async () => {
    const inside = await Promise.all(fleet.members.map((member) => enter(member, name, auth)));
    const [one, two, three] = inside as [Member, Member, Member];
    const room = newRoom();
    await join(room, two, three);
    await one.run(({ socket }, to) => void socket.nsp.to(to).emit("hello", 1), room);
    assert.deepEqual(await arrivals(one, inside), [[], hello, hello]);
    const answers = await one.run(({ socket }, to) => socket.nsp.to(to).timeout(5_000).emitWithAck("ask"), room);
    assert.deepEqual([...(answers as number[])].sort(), [1, 2]);
    assert.equal(await one.run(async ({ socket }) => (await socket.nsp.fetchSockets()).length), 3);
    for (const { client } of inside) client.disconnect();
  });
}

test("a namespace that no pattern or function allows is refused", async () => {
  const { client } = await connect(scope, fleet.node.url);
  assert.equal(await refusal(client.io.socket("/unknown")), "Invalid namespace");
  assert.equal(await refusal(client.io.socket("/by-function/x", { auth: { key: "wrong" } })), "Invalid namespace");
  client.disconnect();
});

test("a room joined in a middleware is known before the client hears that it is connected", async () => {
  for (let round = 0; round < 50; round++) {
    const room = newRoom();
    const guest = await connect(scope, fleet.node.url, { auth: { room } });
    const publisher = fleet.members[(guest.worker + 1) % 3] ?? a;
    await publisher.run(({ io }, to) => void io.to(to).emit("hello", 1), room);
    const [events] = await arrivals(publisher, [guest]);
    assert.deepEqual(events, hello, `round ${round}`);
    guest.client.disconnect();
  }
});

test("a socket that a middleware refuses leaves nothing behind", async () => {
  const room = newRoom();
  const { client } = await connect(scope, fleet.node.url);
  assert.equal(await refusal(client.io.socket("/dynamic-refused", { auth: { room, refuse: true } })), "no entry");
  const skipped = await fleet.node.metric("limpet_hub_messages_total", { outcome: "skipped" });
  await a.run(({ io }, to) => void io.of("/dynamic-refused").to(to).emit("hello", 1), room);
  await arrivals(a, fleet.members);
  assert.equal(await fleet.node.metric("limpet_hub_messages_total", { outcome: "skipped" }), skipped + 2);
  client.disconnect();
});
