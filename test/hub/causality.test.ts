/**
 * What a client has been told is true everywhere: once one worker has acknowledged, another client that hears of it and acts on another worker finds
 * it done.
 */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import type { Socket as ServerSocket } from "socket.io";
import { waitFor } from "../support/wait.js";
import { connectTo, fileScope, startFleet, type Fleet, type Member } from "./fleet.js";

const ROUNDS = 2_000;
/** Order across publishers is not promised; this is how seldom it is broken. */
const MAX_SWAPS = ROUNDS / 100;
const DEADLINE_MS = 20_000;

/** A client joins a room for each round. */
const BOUNDS = { LIMPET_CLIENT_MAX_ROOMS: "100000", LIMPET_CLIENT_MAX_EVENTS_BURST: "100000" };

const scope = fileScope();
let fleet: Fleet;
/** On workers 0, 1 and 2. */
let a: Member, b: Member, c: Member;
before(async () => {
  fleet = await startFleet(scope, { workers: 3, env: BOUNDS });
  [a, b, c] = fleet.members as [Member, Member, Member];
  for (const member of fleet.members) await serve(member);
});

/** Puts the handlers of these tests into the worker of that client, for it and for those that come. */
function serve(member: Member): Promise<void> {
  return member.run(({ io }) => {
    const add = (socket: ServerSocket): void => {
      socket.on("join other", (id: string, room: string, reply: () => void) => {
        io.in(id).socketsJoin(room);
        reply();
      });
      socket.on("publish", (room: string, n: number, reply?: () => void) => {
        io.to(room).emit("published", n);
        reply?.();
      });
    };
    for (const socket of io.sockets.sockets.values()) add(socket);
    io.on("connection", add);
  });
}

/** Calls the listener for each number that B is sent, until the test ends. */
function listen(t: test.TestContext, listener: (n: number) => void): void {
  b.client.on("published", listener);
  t.after(() => void b.client.off("published", listener));
}

for (const transport of ["websocket", "polling"] as const) {
  test(`a socket of another worker that was joined to a room is reached from a third worker as soon as the ack is there, over ${transport}`, async (t) => {
    const asker =
      transport === "websocket" ? a : await connectTo(t, fleet.node.url, a.worker, { transports: ["polling"] });
    const rounds = transport === "websocket" ? ROUNDS : ROUNDS / 4;
    const got = new Set<number>();
    listen(t, (n) => got.add(n));
    for (let n = 0; n < rounds; n++) {
      const room = `${transport} ${n}`;
      await asker.client.timeout(DEADLINE_MS).emitWithAck("join other", b.id, room);
      c.client.emit("publish", room, n);
    }
    await waitFor(() => got.size === rounds, {
      message: () => `the messages: ${rounds - got.size} of ${rounds} are lost`,
    });
    t.diagnostic(`joined by another worker, then published to from a third: 0 of ${rounds} lost`);
  });
}

test("what a worker published before it acknowledged arrives before what is published elsewhere after that", async (t) => {
  const room = "order";
  await b.run(({ socket }, name) => void socket.join(name), room);
  const got: number[] = [];
  listen(t, (n) => got.push(n));
  let swaps = 0;
  for (let n = 0; n < ROUNDS; n++) {
    await a.client.timeout(DEADLINE_MS).emitWithAck("publish", room, 2 * n);
    c.client.emit("publish", room, 2 * n + 1);
    await waitFor(() => got.length === 2, {
      intervalMs: 0,
      message: () => `two messages; there is ${got.join(" and ")}`,
    });
    const [first = -1, second = -1] = got.splice(0);
    assert.deepEqual(
      [first, second].sort((x, y) => x - y),
      [2 * n, 2 * n + 1],
    );
    if (first > second) swaps++;
  }
  t.diagnostic(
    `published, acknowledged, then published on another worker: ${swaps} of ${ROUNDS} arrived in the other order`,
  );
  assert.ok(swaps < MAX_SWAPS, `${swaps} swaps`);
});
