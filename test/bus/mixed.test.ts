/** limpet nodes and stock servers with the stock adapter on one Redis are one fleet, for every operation in both directions. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { arrivals, connect, connectTo, enter, fileScope, join, type Member } from "../hub/fleet.js";
import { waitFor } from "../support/wait.js";
import { connectMute, disconnected, sorted, waitForSubscribers, workersOf } from "./fleet.js";
import { promptly, startMixedFleet, type MixedFleet } from "./mixed-fleet.js";

const scope = fileScope();
let fleet: MixedFleet;
/** Two on each of the two limpet nodes. */
let a: Member, a2: Member, b: Member, b2: Member;
/** On the stock servers. */
let s: Member, s2: Member;
let all: Member[];
before(async () => {
  fleet = await startMixedFleet(scope);
  [a, a2, b, b2] = fleet.members as [Member, Member, Member, Member];
  [s, s2] = fleet.stockMembers as [Member, Member];
  all = [a, a2, b, b2, s, s2];
});

let rooms = 0;
const newRoom = (): string => `room ${++rooms}`;
const hello = [["hello", 1]];
const idsOf = (members: readonly Member[]): string[] => members.map(({ id }) => id).sort();

/** What everybody has received of a publisher since the last time; others than these must have received nothing. */
async function assertReached(from: Member, reached: readonly Member[], events: unknown = hello): Promise<void> {
  const received = await arrivals(from, all);
  assert.deepEqual(
    received,
    all.map((member) => (reached.includes(member) ? events : [])),
  );
}

test("messages to rooms, to sockets and to everyone pass both ways, once", async () => {
  const [room, spared] = [newRoom(), newRoom()];
  await join(room, a, b, b2, s);
  await join(spared, b, s2);
  for (const from of [a, b, s, s2]) {
    await from.run(({ io }, to) => void io.to(to).emit("hello", 1), room);
    await assertReached(from, [a, b, b2, s]);
    await from.run(({ io }, to, not) => void io.to(to).except(not).emit("hello", 1), room, spared);
    await assertReached(from, [a, b2, s]);
    await from.run(({ io }, not) => void io.except(not).emit("hello", 1), spared);
    await assertReached(from, [a, a2, b2, s]);
    await from.run(({ io }) => void io.emit("hello", 1));
    await assertReached(from, all);
    await from.run(({ io }) => void io.volatile.compress(false).emit("hello", 1));
    await assertReached(from, all);
    await from.run(({ io }) => void io.local.emit("hello", 1));
    await assertReached(from, [from]);
    await from.run(({ socket }) => void socket.broadcast.emit("hello", 1));
    await assertReached(
      from,
      all.filter((member) => member !== from),
    );
    for (const to of [a2, b, s2]) {
      await from.run(({ io }, id) => void io.to(id).emit("hello", 1), to.id);
      await assertReached(from, [to]);
    }
  }
});

test("binary and text come out the same on both sides", async () => {
  for (const from of [a, s]) {
    await from.run(({ io }) => {
      const part = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4);
      io.emit("bytes", Buffer.from([1]), part, { deep: [{ bytes: Buffer.from("limpet") }], text: "é🐚" }, null);
      io.emit("text", "é🐚\u2028", { when: new Date(0), nested: [[]] }, null, 1e300);
      io.emit("large", "é".repeat(300_000), Buffer.alloc(500_000, 7));
    });
    const [first, ...others] = await arrivals(from, [from, ...all.filter((member) => member !== from)]);
    assert.equal(first?.length, 3);
    for (const received of others) assert.deepEqual(received, first);
  }
});

test("sockets are joined, taken out and disconnected both ways", async () => {
  for (const [from, there] of [
    [a, s],
    [s, b],
  ] as const) {
    const room = newRoom();
    await from.run(
      ({ io }, id, to) => {
        io.in(id).socketsJoin([to, `${to} too`]);
        io.to(to).emit("hello", 1);
      },
      there.id,
      room,
    );
    await assertReached(from, [there]);
    await from.run(({ io }, id, to) => void io.in(id).socketsLeave(to), there.id, room);
    await from.run(({ io }, to) => void io.to(to).emit("hello", 1), room);
    await assertReached(from, []);
    const guest = await connect(scope, (there === s ? fleet.servers[0] : fleet.nodes[1])?.url ?? "");
    const gone = disconnected(guest);
    await from.run(({ io }, id) => void io.in(id).disconnectSockets(true), guest.id);
    assert.equal(await gone, "io server disconnect");
  }
});

test("fetchSockets finds everyone from both sides, at once", async () => {
  const room = newRoom();
  await join(room, a, b, b2, s2);
  for (const from of [a, b2, s, s2]) {
    const fetch = from.run(async ({ io }) => (await io.fetchSockets()).map(({ id }) => id).sort());
    assert.deepEqual(await promptly(fetch), idsOf(all));
    const found = await promptly(
      from.run(async ({ io }, of) => {
        const sockets = await io.in(of).fetchSockets();
        return sockets.map(({ id, rooms: joined, data, handshake }) => ({
          id,
          joined: joined.has(id) && joined.has(of),
          worker: data.worker as number,
          query: handshake.query["EIO"],
        }));
      }, room),
    );
    found.sort((x, y) => x.worker - y.worker);
    assert.deepEqual(
      found,
      [a, b, b2, s2].map(({ id, worker }) => ({ id, worker, query: "4", joined: true })),
    );
    assert.deepEqual(await promptly(from.run(({ io }) => io.in("nobody").fetchSockets())), []);
  }
});

test("serverSideEmit reaches every other worker and server, both ways", async () => {
  const lines = (): number[] => [
    ...fleet.nodes.map((node) => node.logs().filter(({ msg }) => msg === "noted").length),
    ...fleet.servers.map((server) => server.output().split('"noted"').length - 1),
  ];
  const since = lines();
  const grown = (): number[] => lines().map((count, n) => count - (since[n] ?? 0));
  // An answer to what is asked later comes after all that was sent before; what is logged, when it is read.
  const settled = async (from: Member, noted: number): Promise<void> => {
    await from.run(async ({ io }) => void (await io.serverSideEmitWithAck("who")));
    await waitFor(() => grown().reduce((sum, count) => sum + count) >= noted, {
      message: () => `notes: ${grown().join()}`,
    });
  };
  await a.run(({ io }) => io.serverSideEmit("note", "text", Buffer.from([1, 2])));
  await settled(a, 5);
  assert.deepEqual(grown(), [1, 2, 1, 1]);
  await s.run(({ io }) => io.serverSideEmit("note", "text", { nested: [1] }));
  await settled(s, 10);
  // A node answers for its workers as soon as each has: all have noted it.
  assert.deepEqual(grown(), [3, 4, 1, 2]);
  const args = ["text", "Buffer 0102"];
  assert.deepEqual(fleet.nodes[0]?.logs().find(({ msg }) => msg === "noted")?.["args"], args);
  assert.match(fleet.servers[0]?.output() ?? "", /"args":\["text","Buffer 0102"\],"msg":"noted"/);
});

test("serverSideEmit with ack is answered by every worker and stock server; to a stock server a node is one", async () => {
  const workersIn = (answers: unknown): number[] =>
    sorted((answers as { worker: number }[]).map(({ worker }) => worker));
  for (const nsp of ["/", "/empty"]) {
    const asked = a.run(({ io }, name) => io.of(name).serverSideEmitWithAck("who", 7), nsp);
    assert.deepEqual(workersIn(await promptly(asked)), workersOf([a2, b, b2, s, s2]));
    const answers = await promptly(s.run(({ io }, name) => io.of(name).serverSideEmitWithAck("who", 7), nsp));
    const servers = workersIn(answers).map((worker) => Math.floor(worker / 100));
    assert.deepEqual(servers, [1, 2, 9]);
    assert.ok((answers as { args: unknown }[]).every(({ args }) => JSON.stringify(args) === "[7]"));
  }
});

test("a broadcast with ack collects the answers of all clients, from both sides, at once", async () => {
  const room = newRoom();
  const second = await connectTo(scope, fleet.nodes[0]?.url ?? "", a.worker);
  await join(room, a, second, b, b2, s, s2);
  for (const from of [a, a2, b, s, s2]) {
    const asked = from.run(({ io }, to) => io.to(to).timeout(10_000).emitWithAck("ask"), room);
    assert.deepEqual(sorted(await promptly(asked)), workersOf([a, second, b, b2, s, s2]));
    const nobody = from.run(({ io }, to) => io.to(to).timeout(10_000).emitWithAck("ask"), newRoom());
    assert.deepEqual(await promptly(nobody), []);
    const echoed = await from.run(async ({ io }, to) => {
      const asking = io.to(to).timeout(10_000);
      const got = (await asking.emitWithAck("echo", { bytes: Buffer.from([1, 2]) })) as { bytes: Buffer }[];
      return got.map(({ bytes }) => Buffer.from(bytes).toString("hex"));
    }, room);
    assert.deepEqual(echoed, Array(6).fill("0102"));
  }
  second.client.disconnect();
  await arrivals(a, all);
});

test("clients that do not acknowledge time the broadcast out, with the answers there are, from both sides", async () => {
  const room = newRoom();
  const mute = await connectMute(scope, fleet.nodes[1] as never, b.worker);
  const stockMute = await connect(scope, fleet.servers[1]?.url ?? "");
  stockMute.client.offAny();
  await join(room, a, b, b2, mute, s, s2, stockMute);
  for (const from of [a, s]) {
    await assert.rejects(
      from.run(({ io }, to) => io.to(to).timeout(700).emitWithAck("ask"), room),
      ({ message, responses }: Error & { responses?: unknown[] }) => {
        assert.match(message, /timed out/);
        assert.deepEqual(sorted(responses), workersOf([a, b, b2, s, s2]));
        return true;
      },
    );
  }
  for (const { client } of [mute, stockMute]) client.disconnect();
  await arrivals(a, all);
});

test("other namespaces are one over nodes and servers, and are asked only where they are open", async () => {
  const [ofA, ofB, ofS] = await Promise.all([a, b, s].map((member) => enter(member, "/dynamic-mixed")));
  assert.ok(ofA !== undefined && ofB !== undefined && ofS !== undefined);
  const inside = [ofA, ofB, ofS];
  await waitForSubscribers(fleet.client, "/dynamic-mixed", 3);
  for (const from of inside) {
    await from.run(({ socket }) => void socket.nsp.emit("hello", Buffer.from([1])));
    assert.deepEqual(await arrivals(from, inside), Array(3).fill([["hello", Buffer.from([1])]]));
    const fetched = from.run(async ({ socket }) => (await socket.nsp.fetchSockets()).map(({ id }) => id).sort());
    assert.deepEqual(await promptly(fetched), idsOf(inside));
    const asked = from.run(({ socket }) => socket.nsp.timeout(5_000).emitWithAck("ask"));
    assert.deepEqual(sorted(await promptly(asked)), workersOf(inside));
    assert.deepEqual(await arrivals(from, inside), Array(3).fill([["ask"]]));
  }
  await assertReached(a, []);
  for (const { client } of inside) client.disconnect();
});

test("serverCount counts nodes and stock servers", async () => {
  assert.equal(await a.run(({ io }) => io.of("/").adapter.serverCount()), 5);
  assert.equal(await s.run(({ io }) => io.of("/").adapter.serverCount()), 4);
});
