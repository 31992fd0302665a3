/** Messages pass only to workers that have members for them; counted exactly by the hub. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { waitFor } from "../support/wait.js";
import { arrivals, connectTo, enter, fileScope, join, startFleet, type Fleet, type Member } from "./fleet.js";

const WORKERS = 4;

const scope = fileScope();
let fleet: Fleet;
let a: Member, b: Member, c: Member;
before(async () => {
  fleet = await startFleet(scope, { workers: WORKERS });
  [a, b, c] = fleet.members as [Member, Member, Member];
});

let rooms = 0;
const newRoom = (): string => `room ${++rooms}`;

interface Counts {
  readonly received: number;
  readonly forwarded: number;
  readonly skipped: number;
}

/** The hub has taken all that this worker has sent: it answers in order. */
async function hubHasRead(member: Member): Promise<void> {
  await member.run(async ({ io }) => void (await io.of("/").adapter.serverCount()));
}

async function counts(): Promise<Counts> {
  const scrape = await fleet.node.metrics();
  const of = (outcome: string): number => scrape.sum("limpet_hub_messages_total", { outcome });
  return { received: of("received"), forwarded: of("forwarded"), skipped: of("skipped") };
}

/** What the hub does with 10 messages of one worker. */
async function countTen(from: Member, nsp: string, room: string | null): Promise<Counts> {
  await Promise.all(fleet.members.map(hubHasRead));
  const before = await counts();
  await from.run(
    ({ io }, name, to) => {
      const target = to === null ? io.of(name) : io.of(name).to(to);
      for (let n = 0; n < 10; n++) target.emit("counted", n);
    },
    nsp,
    room,
  );
  await hubHasRead(from);
  const after = await counts();
  return {
    received: after.received - before.received,
    forwarded: after.forwarded - before.forwarded,
    skipped: after.skipped - before.skipped,
  };
}

const copies = (workers: number): Counts => ({
  received: 10,
  forwarded: 10 * workers,
  skipped: 10 * (WORKERS - 1 - workers),
});

test("a room's message goes to the workers with members, as they come and go", async () => {
  const room = newRoom();
  assert.deepEqual(await countTen(a, "/", room), copies(0));
  await join(room, a);
  assert.deepEqual(await countTen(a, "/", room), copies(0), "members on the publisher's own worker cost nothing");
  await join(room, b);
  assert.deepEqual(await countTen(a, "/", room), copies(1));
  await join(room, c);
  assert.deepEqual(await countTen(a, "/", room), copies(2));
  await b.run(({ socket }, name) => void socket.leave(name), room);
  assert.deepEqual(await countTen(a, "/", room), copies(1));
  await a.run(({ io }, name) => io.socketsLeave(name), room);
  await arrivals(a, [c]);
  assert.deepEqual(await countTen(a, "/", room), copies(0), "an emptied room is forgotten");
});

test("a room of several members on one worker costs one copy, until the last of them is gone", async () => {
  const room = newRoom();
  const guests = await Promise.all([1, 2, 3].map(() => connectTo(scope, fleet.node.url, b.worker)));
  await join(room, ...guests);
  for (const guest of guests) {
    assert.deepEqual(await countTen(a, "/", room), copies(1));
    guest.client.disconnect();
    await waitFor(() => b.run(({ io }, id) => !io.sockets.sockets.has(id), guest.id));
  }
  assert.deepEqual(await countTen(a, "/", room), copies(0));
});

test("a message to a namespace goes to the workers that have sockets in it", async () => {
  assert.deepEqual(await countTen(a, "/", null), copies(WORKERS - 1));
  assert.deepEqual(await countTen(a, "/custom", null), copies(0), "open on each worker, but empty");
  const inside = await enter(b, "/custom");
  assert.deepEqual(await countTen(a, "/custom", null), copies(1));
  assert.deepEqual(await countTen(b, "/custom", null), copies(0));
  inside.client.disconnect();
  await waitFor(() => b.run(({ io }) => io.of("/custom").sockets.size === 0));
  assert.deepEqual(await countTen(a, "/custom", null), copies(0));
});

test("what one socket is told costs one copy; what a worker tells its own, and local messages, none", async () => {
  assert.deepEqual(await countTen(a, "/", b.id), copies(1));
  assert.deepEqual(await countTen(a, "/", a.id), copies(0));
  const before = await counts();
  await a.run(({ io, socket }) => {
    socket.emit("counted");
    io.local.emit("counted");
  });
  await hubHasRead(a);
  assert.deepEqual(await counts(), before);
});

test("a worker that died is forgotten with its rooms, and its successor begins with none", async () => {
  const room = newRoom();
  await join(room, b, c);
  assert.deepEqual(await countTen(a, "/", room), copies(2));
  const victim = (await fleet.node.workers()).find(({ slot }) => slot === c.worker);
  assert.ok(victim !== undefined);
  process.kill(victim.pid, "SIGKILL");
  await fleet.node.waitForLog((line) => line.msg === "worker ready" && Number(line["wid"]) > WORKERS);
  const others = fleet.members.filter((member) => member !== c);
  await arrivals(a, others);
  const before = await counts();
  await a.run(({ io }, to) => void io.to(to).emit("counted"), room);
  await hubHasRead(a);
  const after = await counts();
  assert.equal(after.forwarded - before.forwarded, 1);
  assert.equal(after.skipped - before.skipped, WORKERS - 2);
  assert.deepEqual(
    await arrivals(a, others),
    others.map((member) => (member === b ? [["counted"]] : [])),
  );
});
