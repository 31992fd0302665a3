/** Requests to workers that live but do not answer: they reject, with what did arrive. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { waitFor } from "../support/wait.js";
import { block, connectTo, fileScope, join, startFleet, type Fleet, type Member } from "./fleet.js";

const REQUEST_TIMEOUT_MS = 800;

const scope = fileScope();
let fleet: Fleet;
let a: Member, b: Member;
before(async () => {
  fleet = await startFleet(scope, { env: { LIMPET_HUB_REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS) } });
  [a, b] = fleet.members as [Member, Member];
});

/** Busy, not gone: a worker that was silent is back as if nothing had been. */
async function whole(): Promise<void> {
  const found = (): Promise<number> => a.run(async ({ io }) => (await io.fetchSockets().catch(() => [])).length);
  await waitFor(async () => (await found()) === 3, { message: "sockets of all workers" });
}

test("a worker that stays silent rejects fetchSockets, with what did arrive", async () => {
  await block(fleet.node, b, 3 * REQUEST_TIMEOUT_MS);
  for (const timeoutMs of [undefined, 300]) {
    const { name, message, missing, ids } = await a.run(async ({ io }, chosenMs) => {
      try {
        await (chosenMs === undefined ? io : io.timeout(chosenMs)).fetchSockets();
        throw new Error("it should have been rejected");
      } catch (error) {
        const { responses, ...silent } = error as Error & { responses: { id: string }[]; missing: number };
        return { ...silent, message: (error as Error).message, name: silent.name, ids: responses.map(({ id }) => id) };
      }
    }, timeoutMs);
    assert.equal(name, "SilentWorkersError");
    assert.match(message, /fetchSockets: timeout reached, 1 worker has not answered \(2 responses received\)/);
    assert.equal(missing, 1);
    assert.deepEqual(
      ids.sort(),
      fleet.members
        .filter((member) => member !== b)
        .map(({ id }) => id)
        .sort(),
    );
  }
  await whole();
});

test("a worker that stays silent rejects serverSideEmit with ack, with what did arrive", async () => {
  await block(fleet.node, b, 3 * REQUEST_TIMEOUT_MS);
  await assert.rejects(
    a.run(({ io }) => io.serverSideEmitWithAck("who", 1)),
    { message: /serverSideEmit: timeout reached, 1 worker has not/, missing: 1, responses: [{ worker: 2, args: [1] }] },
  );
  const heard = await a.run(
    ({ io }) =>
      new Promise((resolve) => {
        io.serverSideEmit("who", 2, (error: Error, responses: unknown[]) => resolve([error.message, responses]));
      }),
  );
  assert.deepEqual(heard, [
    "serverSideEmit: timeout reached, 1 worker has not answered (1 responses received)",
    [{ worker: 2, args: [2] }],
  ]);
  await whole();
});

test("late answers to a request that has timed out change nothing", async () => {
  await block(fleet.node, b, 2 * REQUEST_TIMEOUT_MS);
  const calls = await a.run(async ({ io }) => {
    const heard: number[] = [];
    io.serverSideEmit("who", (error: Error | null, responses: unknown[]) => {
      heard.push(error === null ? responses.length : -responses.length);
    });
    while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    return heard;
  });
  assert.deepEqual(calls, [-1]);
  await whole();
});

test("an answer that cannot be serialised is missing, is logged, and ends no worker", async () => {
  const { node } = fleet;
  await b.run(({ socket }) => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    socket.data.cycle = cycle;
  });
  await assert.rejects(
    a.run(({ io }, id) => io.in(id).fetchSockets(), b.id),
    { name: "SilentWorkersError", missing: 1 },
  );
  await node.waitForLog((line) => line.level === "error" && /cannot be serialised/.test(line.msg));
  assert.equal(await b.run(() => "alive"), "alive");
});

test("a client's ack nested thousands deep ends no worker", async () => {
  const { node } = fleet;
  const deep = `[${"[".repeat(200_000)}${"]".repeat(200_000)}]`;
  const room = "deep";
  const guest = await connectTo(scope, node.url, b.worker);
  guest.client.offAny();
  await join(room, guest);
  guest.client.io.engine.on("packet", ({ data }: { data?: unknown }) => {
    const id = /^2(\d+)\["ask"\]/.exec(String(data))?.[1];
    if (id !== undefined) guest.client.io.engine.write(`3${id}${deep}`);
  });
  await assert.rejects(a.run(({ io }, to) => io.in(to).timeout(1_000).emitWithAck("ask"), room));
  assert.equal(await a.run(() => "alive"), "alive");
  assert.equal(await b.run(() => "alive"), "alive");
  assert.ok(!node.logs().some(({ msg }) => /ended unexpectedly/.test(msg)));
});
