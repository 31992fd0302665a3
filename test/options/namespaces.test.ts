import assert from "node:assert/strict";
import test from "node:test";
import { waitFor } from "../support/wait.js";
import { arrivals, enter, join, startFleet, type Member } from "../hub/fleet.js";

const NSP = "/dynamic-topic";

/** The namespace as a worker knows it; asked through a client in the main one, which opens nothing. */
const has = (member: Member): Promise<boolean> => member.run(({ io }, name) => io._nsps.has(name), NSP);

const leave = async (inNamespace: Member, inMain: Member): Promise<void> => {
  inNamespace.client.disconnect();
  await waitFor(async () => !(await has(inMain)), { message: "the empty namespace to be closed" });
};

const say = (from: Member, text: string): Promise<void> =>
  from.run(({ socket }, what) => void socket.nsp.to("room").emit("said", what), text);

const texts = async (from: Member, ...members: Member[]): Promise<unknown[][]> =>
  (await arrivals(from, members)).map((events) => events.map(([, text]) => text));

const idsIn = (member: Member): Promise<string[]> =>
  member.run(async ({ socket }) => (await socket.nsp.in("room").fetchSockets()).map(({ id }) => id).sort());

test("a namespace is closed on a worker with its last socket there, and opened again, its rooms and messages in order", async (t) => {
  const env = { LIMPET_SOCKETIO_CLEANUP_EMPTY_CHILD_NAMESPACES: "true" };
  const { members } = await startFleet(t, { workers: 2, env });
  const [zero, one] = members;
  assert.ok(zero !== undefined && one !== undefined);
  let before = await enter(zero, NSP);
  let beside = await enter(one, NSP);
  await join("room", before, beside);
  for (let round = 0; round < 3; round++) {
    await say(before, `both ${round}`);
    assert.deepEqual(await texts(before, before, beside), [[`both ${round}`], [`both ${round}`]]);

    await leave(before, zero);
    assert.equal(await has(one), true);
    await say(beside, `alone ${round}`);
    assert.deepEqual(await texts(beside, beside), [[`alone ${round}`]]);
    assert.deepEqual(await idsIn(beside), [beside.id]);
    assert.equal(await has(zero), false, "a message opens no namespace");

    before = await enter(zero, NSP);
    await say(beside, `not yet ${round}`);
    assert.deepEqual(await texts(beside, before, beside), [[], [`not yet ${round}`]]);
    await join("room", before);
    assert.deepEqual(await idsIn(before), [before.id, beside.id].sort());

    // The other worker's turn; then nobody is left anywhere, and it is opened on that worker first.
    await leave(beside, one);
    await say(before, `other ${round}`);
    assert.deepEqual(await texts(before, before), [[`other ${round}`]]);
    await leave(before, zero);
    beside = await enter(one, NSP);
    assert.equal(await has(zero), false);
    await join("room", beside);
    assert.deepEqual(await idsIn(beside), [beside.id]);
    before = await enter(zero, NSP);
    await join("room", before);
  }
});

test("without that option a namespace stays, and its rooms do not", async (t) => {
  const { members } = await startFleet(t, { workers: 2 });
  const [zero, one] = members;
  assert.ok(zero !== undefined && one !== undefined);
  const first = await enter(zero, NSP);
  const other = await enter(one, NSP);
  await join("room", first, other);
  first.client.disconnect();
  await waitFor(async () => (await idsIn(other)).length === 1);
  assert.equal(await has(zero), true);
  const again = await enter(zero, NSP);
  await say(other, "to the room");
  assert.deepEqual(await texts(other, again, other), [[], ["to the room"]]);
});
