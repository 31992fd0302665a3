/**
 * limpet nodes with recovery beside stock servers and the official emitter on one Redis: what these publish a client of limpet gets when it comes back, once and
 * in order; their own clients notice nothing.
 */
import assert from "node:assert/strict";
import test, { before, beforeEach } from "node:test";
import { connect, fileScope, join, type Member } from "../hub/fleet.js";
import { emitterEntry, joined, startStockServer } from "../support/stock-server.js";
import { waitFor } from "../support/wait.js";
import { connected, startPair, who, type Pair } from "./pair.js";
import type { RawClient, Received } from "./raw-client.js";

const scope = fileScope();
const APP = "test/hub/app.mjs";
let pair: Pair;
/** A client of a stock server, and of one with its own recovery on. */
let plain: Member, recovering: Member;
before(async () => {
  pair = await startPair(scope);
  const redis = { port: pair.redis.port };
  const server = { connectionStateRecovery: {} };
  const servers = await Promise.all([
    startStockServer(scope, { app: APP, id: 8, redis }),
    startStockServer(scope, { app: APP, id: 9, redis, server }),
  ]);
  await joined(pair.client, 8, 9);
  [plain, recovering] = (await Promise.all(servers.map(({ url }) => connect(scope, url)))) as [Member, Member];
});

/** A worker that a test has killed is back. */
beforeEach(async () => {
  await waitFor(async () => (await pair.a.workers()).every(({ state }) => state === "ready"), { timeoutMs: 30_000 });
});

let rooms = 0;
let rounds = 0;

/** What each publisher has sent in a round, as clients in the room get it. */
type Sent = Readonly<Record<string, readonly Received[]>>;

/** Each publisher says the same in its own name: to a room, with binary, to everyone, to a socket; and what is for others, or is never given later. */
async function publish(room: string, id: string, limpet: RawClient): Promise<Sent> {
  const round = ++rounds;
  for (const [name, member] of Object.entries({ plain, recovering })) {
    await member.run(
      ({ io }, by, to, own, n) => {
        io.to(to).emit("said", by, n, 1);
        io.to("others").emit("said", by, n, "for others");
        io.to(to).emit("said", by, n, Buffer.from([1, 2]));
        io.except(to).emit("said", by, n, "for everyone else");
        io.emit("said", by, n, { three: ["é", null] });
        io.to([own, to]).emit("said", by, n, "text");
        io.to(own).emit("said", by, n, 5);
      },
      name,
      room,
      id,
      round,
    );
  }
  const emit = (args: readonly unknown[], target: Parameters<typeof emitterEntry>[2]): Promise<string> =>
    emitterEntry(pair.client, { emit: ["said", "emitter", round, ...args] }, target);
  await emit([1], { rooms: [room] });
  await emit(["for others"], { rooms: ["others"] });
  await emit([Buffer.from([1, 2])], { rooms: [room] });
  await emit(["for everyone else"], { except: [room] });
  await emit([{ three: ["é", null] }], {});
  await emit(["text"], { rooms: [id, room] });
  await emit([5], { rooms: [id] });
  await limpet.call("publish", room, [round, "limpet"]);
  const bodies = [1, Buffer.from([1, 2]), { three: ["é", null] }, "text", 5];
  const said = (by: string): Received[] => bodies.map((body) => ["said", by, round, body]);
  return {
    plain: said("plain"),
    recovering: said("recovering"),
    emitter: said("emitter"),
    limpet: [round, "limpet"].map((value) => ["said", room, value]),
  };
}

const countOf = (sent: readonly Sent[]): number => sent.flatMap((one) => Object.values(one).flat()).length;

/** By publisher, in the order in which it came. */
function assertReceived(client: RawClient, room: string, sent: readonly Sent[]): void {
  for (const by of ["plain", "recovering", "emitter", "limpet"]) {
    const of = by === "limpet" ? room : by;
    assert.deepEqual(
      client.received.filter(([, publisher]) => publisher === of),
      sent.flatMap((one) => one[by] ?? []),
      `what ${by} has sent`,
    );
  }
  assert.equal(client.received.length, countOf(sent), "and nothing else");
}

const killWorkerOf = async (client: RawClient): Promise<void> => {
  const { slot } = client;
  const before = (await pair.a.workers()).find((worker) => worker.slot === slot);
  assert.ok(before?.pid);
  process.kill(before.pid, "SIGKILL");
  await client.until(() => client.session.closed);
};

for (const { what, away, back } of [
  { what: "at its node", away: (client: RawClient) => void client.cut(), back: () => pair.a },
  { what: "at another node", away: (client: RawClient) => void client.cut(), back: () => pair.b },
  {
    what: "at another node, while its first one believes in its connection",
    away: (client: RawClient) => void client.abandon(),
    back: () => pair.b,
  },
  { what: "after its worker was killed", away: killWorkerOf, back: () => pair.a },
  { what: "at another node after its worker was killed", away: killWorkerOf, back: () => pair.b },
])
  test(`a client that comes back ${what} has what stock servers and the emitter have said, once and in order`, async (t) => {
    const room = `room ${++rooms}`;
    const publisher = await connected(t, pair.b, 1);
    const client = await connected(t, pair.a, 1);
    const { id } = await who(client);
    await client.call("join", room);
    await join(room, plain, recovering);

    const sent = [await publish(room, id, publisher)];
    await client.count(countOf(sent));
    await away(client);
    sent.push(await publish(room, id, publisher), await publish(room, id, publisher));
    await client.connect({ port: back().port });
    assert.equal(client.recovered, true);
    assert.equal(client.id, id);
    await client.count(countOf(sent));
    // Cut in the middle of what it has missed, and at the other node then.
    client.cut();
    sent.push(await publish(room, id, publisher));
    const before = client.received.length;
    await client.connect({ port: pair.a.port, stopAt: (count) => count >= before + 7 });
    await client.until(() => client.received.length >= before + 7);
    await client.connect({ port: pair.b.port });
    assert.equal(client.recovered, true);
    sent.push(await publish(room, id, publisher));
    await client.count(countOf(sent));
    assertReceived(client, room, sent);
  });

test("volatile events are not given later", async (t) => {
  const [client, present] = [await connected(t, pair.a), await connected(t, pair.b)];
  for (const one of [client, present]) await one.call("join", "quiet");
  client.cut();
  await plain.run(({ io }) => {
    io.to("quiet").volatile.emit("said", "volatile");
    io.to("quiet").emit("said", "last");
  });
  await present.count(2);
  await client.connect({ port: pair.b.port });
  assert.equal(client.recovered, true);
  await client.count(1);
  assert.deepEqual(client.received, [["said", "last"]]);
});

test("the clients of stock servers get what limpet's clients get, and no argument besides; with stock's own recovery its own offset, once", async (t) => {
  const room = `room ${++rooms}`;
  const publisher = await connected(t, pair.a, 1);
  const client = await connected(t, pair.b);
  const members = [plain, recovering];
  await join(room, ...members);
  await client.call("join", room);
  for (const { received } of members) received.length = 0;
  const sent = await publish(room, client.id ?? "", publisher);
  // The last is for the client of limpet alone.
  const due = Object.entries(sent).flatMap(([by, events]) => (by === "limpet" ? events : events.slice(0, -1)));
  for (const { received } of members)
    await waitFor(() => received.length >= due.length, { message: () => `${received.length} of ${due.length} events` });
  await client.count(due.length + 3);
  const byPublisher = (events: readonly Received[]): Received[] =>
    [...new Set(due.map(([, by]) => by))].flatMap((by) => events.filter(([, one]) => one === by));
  assert.deepEqual(byPublisher(plain.received), byPublisher(due));
  assert.equal(plain.received.length, due.length);
  for (const event of recovering.received) assert.match(String(event.at(-1)), /^\d+-\d+$/);
  assert.deepEqual(byPublisher(recovering.received.map((event) => event.slice(0, -1))), byPublisher(due));
  assert.equal(recovering.received.length, due.length);
});
