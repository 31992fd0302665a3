/** Messages to rooms, namespaces and sockets across the workers of a real node: who gets them, in which order, with what inside. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { arrivals, fileScope, join, startFleet, type Fleet, type Member } from "./fleet.js";

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

test("a message to a room reaches its members on every worker, and nobody else", async () => {
  const room = newRoom();
  await join(room, a, b);
  await a.run(({ io }, to) => void io.to(to).emit("hello", 1), room);
  assert.deepEqual(await arrivals(a, fleet.members), [hello, hello, []]);
  await c.run(({ io }, to) => void io.to(to).emit("hello", 1), room);
  assert.deepEqual(await arrivals(c, fleet.members), [hello, hello, []]);
});

test("a message to several rooms reaches each member once", async () => {
  const [one, two] = [newRoom(), newRoom()];
  await join(one, a, b);
  await join(two, b, c);
  await a.run(({ io }, x, y) => void io.to(x).to(y).emit("hello", 1), one, two);
  assert.deepEqual(await arrivals(a, fleet.members), [hello, hello, hello]);
  await a.run(({ io }, x, y) => void io.to([x, y]).emit("hello", 1), one, two);
  assert.deepEqual(await arrivals(a, fleet.members), [hello, hello, hello]);
});

test("except spares rooms and single sockets, on every worker", async () => {
  const [room, spared] = [newRoom(), newRoom()];
  await join(room, a, b, c);
  await join(spared, b);
  await a.run(({ io }, to, not) => void io.to(to).except(not).emit("hello", 1), room, spared);
  assert.deepEqual(await arrivals(a, fleet.members), [hello, [], hello]);
  await a.run(({ io }, not) => void io.except(not).emit("hello", 1), c.id);
  assert.deepEqual(await arrivals(a, fleet.members), [hello, hello, []]);
});

test("a message to the namespace reaches everyone", async () => {
  await b.run(({ io }) => void io.emit("hello", 1));
  assert.deepEqual(await arrivals(b, fleet.members), [hello, hello, hello]);
});

test("a message to a socket's id reaches it on any worker", async () => {
  for (const from of fleet.members) {
    await from.run(({ io }, id) => void io.to(id).emit("hello", 1), c.id);
    assert.deepEqual(await arrivals(from, fleet.members), [[], [], hello]);
  }
});

test("local stays on the worker; volatile and compress pass", async () => {
  await a.run(({ io }) => void io.local.emit("hello", 1));
  assert.deepEqual(await arrivals(a, fleet.members), [hello, [], []]);
  await a.run(({ io }) => void io.volatile.emit("hello", 1));
  assert.deepEqual(await arrivals(a, fleet.members), [hello, hello, hello]);
  await a.run(({ io }) => void io.compress(false).emit("hello", 1));
  assert.deepEqual(await arrivals(a, fleet.members), [hello, hello, hello]);
});

test("binary of every kind arrives on another worker as on the same", async () => {
  await a.run(({ io }) => {
    const floats = new Float32Array([1.5, -2]);
    const part = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4);
    const buffer = new Uint8Array([4, 5]).buffer;
    const view = new DataView(new Uint8Array([0, 6, 7, 0]).buffer, 1, 2);
    const nested = { deep: [{ bytes: Buffer.from("limpet") }], text: "é🐚", gone: undefined, when: new Date(0) };
    io.emit("hello", Buffer.from([1]), floats, part, buffer, view, nested, Buffer.alloc(0), null, [undefined], NaN);
  });
  const [onA, onB, onC] = await arrivals(a, fleet.members);
  assert.deepEqual(onA, [
    [
      "hello",
      Buffer.from([1]),
      Buffer.from(new Float32Array([1.5, -2]).buffer),
      Buffer.from([1, 2, 3]),
      Buffer.from([4, 5]),
      Buffer.from([6, 7]),
      { deep: [{ bytes: Buffer.from("limpet") }], text: "é🐚", when: "1970-01-01T00:00:00.000Z" },
      Buffer.alloc(0),
      null,
      [null],
      null,
    ],
  ]);
  assert.deepEqual(onB, onA);
  assert.deepEqual(onC, onA);
});

test("values that only a plain emit can hold are the same on another worker", async () => {
  await a.run(({ io }) => {
    const withMethod = { bytes: Buffer.from([1]), method: () => 1 };
    const named = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}') as object;
    io.emit("hello", withMethod);
    io.emit("hello", named);
    io.emit("hello", { ...named, ["__proto__"]: 5, bytes: Buffer.from([2]) });
    let deep: unknown = Buffer.from([3]);
    for (let depth = 0; depth < 500; depth++) deep = [deep];
    io.emit("hello", deep);
  });
  const [onA, onB, onC] = await arrivals(a, fleet.members);
  assert.equal(onA?.length, 4);
  assert.deepEqual(onB, onA);
  assert.deepEqual(onC, onA);
});

test("large messages arrive whole and in order", async () => {
  await a.run(({ io }) => {
    io.emit("large", "é".repeat(2_000_000));
    io.emit("large", Buffer.alloc(3_000_000, 7));
    io.emit("small", 1);
  });
  const [onA, onB, onC] = await arrivals(a, fleet.members);
  assert.deepEqual(
    onA?.map(([event]) => event),
    ["large", "large", "small"],
  );
  assert.deepEqual(onB, onA);
  assert.deepEqual(onC, onA);
});

test("messages of one publisher keep their order in a room, local and volatile ones among them", async () => {
  const room = newRoom();
  await join(room, a, b);
  await a.run(({ io }, to) => {
    for (let n = 0; n < 3_000; n += 3) {
      io.to(to).emit("n", n);
      io.local.to(to).emit("n", n + 1);
      io.to(to).emit("n", Buffer.from(String(n + 2)));
      if (n % 300 === 0) io.volatile.to(to).emit("v", n);
    }
  }, room);
  const [onA = [], onB = []] = await arrivals(a, [a, b]);
  const numbers = (events: [string, ...unknown[]][]): number[] =>
    events.filter(([event]) => event === "n").map(([, n]) => Number(Buffer.isBuffer(n) ? n.toString() : n));
  assert.deepEqual(
    numbers(onA),
    Array.from({ length: 3_000 }, (_, n) => n),
  );
  assert.deepEqual(
    numbers(onB),
    Array.from({ length: 3_000 }, (_, n) => n).filter((n) => n % 3 !== 1),
  );
  for (const events of [onA, onB]) {
    for (const [at, [event, n]] of events.entries()) {
      if (event === "v")
        assert.ok(numbers(events.slice(0, at)).at(-1) === Number(n) + 2, "a volatile one has its place");
    }
  }
});
