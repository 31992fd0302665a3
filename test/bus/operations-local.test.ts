/** What concerns this worker only costs the stream nothing. */
import assert from "node:assert/strict";
import test from "node:test";
import { arrivals, join, type Member } from "../hub/fleet.js";
import { entriesAdded, startNodes } from "./fleet.js";

const EMITS = 1_000;

test(`${EMITS} words to a socket of its own worker add no entry to the stream, nor do local emits, joins and leaves`, async (t) => {
  const { client, members } = await startNodes(t);
  const [a] = members as [Member];
  await join("room", ...members);
  await arrivals(a, members);
  const before = await entriesAdded(client);
  await a.run(async ({ io, socket }, count) => {
    for (let n = 0; n < count; n++) socket.emit("n", n);
    for (let n = 0; n < 100; n++) {
      io.local.to("room").emit("local", n);
      await socket.join(`own ${n}`);
      await socket.leave(`own ${n}`);
    }
    await socket.timeout(5_000).emitWithAck("ask");
    await io.local.fetchSockets();
    await io.local.timeout(5_000).emitWithAck("ask");
  }, EMITS);
  assert.equal((await entriesAdded(client)) - before, 0);
  // A message of the same worker to the room is one; it also ends the wait for what came before.
  const [received = []] = await arrivals(a, members);
  assert.equal(received.length, EMITS + 100 + 2);
  assert.deepEqual(
    received.slice(0, EMITS).map(([, n]) => n),
    Array.from({ length: EMITS }, (_, n) => n),
  );
  assert.equal((await entriesAdded(client)) - before, 1);
});
