/** Join, ack, publish from another worker at once: nothing is lost, ten thousand times. */
import assert from "node:assert/strict";
import test, { before, type TestContext } from "node:test";
import { waitFor } from "../support/wait.js";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { connectTo, fileScope, startFleet, type Fleet, type Member } from "./fleet.js";

const ROUNDS = 10_000;
/** A connect costs more than a join. */
const CONNECTS = 4_000;
const LANES = 8;

/** One client joins many rooms and one publishes for all, as fast as it can. */
const BOUNDS = { LIMPET_CLIENT_MAX_ROOMS: "100000", LIMPET_CLIENT_MAX_EVENTS_BURST: "100000" };

const scope = fileScope();
let fleet: Fleet;
let a: Member, b: Member;
before(async () => {
  fleet = await startFleet(scope, { workers: 2, env: BOUNDS });
  [a, b] = fleet.members as [Member, Member];
});

/** The other worker publishes as soon as it is told; nothing else is awaited on the way. */
function publish(room: string, n: number): void {
  b.client.emit("publish", room, n);
}

test("a room that was joined is reached from another worker as soon as the ack is there", async (t) => {
  await usePublisher();
  const joiners = await Promise.all(Array.from({ length: LANES }, () => connectTo(scope, fleet.node.url, a.worker)));
  const got = new Set<number>();
  for (const { client } of joiners) client.on("published", (n: number) => void got.add(n));
  await inLanes(async (n, lane) => {
    const { client } = joiners[lane] as Member;
    await client.timeout(20_000).emitWithAck("join", `room ${n}`);
    publish(`room ${n}`, n);
  });
  await allArrived(t, got, "joined");
});

test("a socket is reached by its id from another worker as soon as it is connected", async (t) => {
  await usePublisher();
  const got = new Set<number>();
  await inLanes(async (n, lane) => {
    // Sessions come to both workers in turn; each is told by the worker of b, which for half of them is another.
    const session =
      lane % 4 === 0
        ? await PollingSession.open(t, { port: fleet.node.port })
        : await WebSocketSession.open(t, { port: fleet.node.port });
    const id = await session.joinMain();
    publish(id, n);
    const packet = session instanceof PollingSession ? (await session.poll())[0] : await session.next();
    assert.equal(packet, `42["published",${n}]`);
    got.add(n);
    await session.close();
  }, CONNECTS);
  await allArrived(t, got, "connected", CONNECTS);
});

async function usePublisher(): Promise<void> {
  for (const member of [a, b]) {
    await member.run(({ io }) => {
      const serve = (socket: typeof io.sockets extends { sockets: Map<string, infer S> } ? S : never): void => {
        if (socket.eventNames().includes("publish")) return;
        socket.on("publish", (room: string, n: number) => void io.to(room).emit("published", n));
        socket.on("join", (room: string, reply: () => void) => {
          void socket.join(room);
          reply();
        });
      };
      for (const socket of io.sockets.sockets.values()) serve(socket);
      if (io.sockets.listeners("connection").length < 2) io.on("connection", serve);
    });
  }
}

/** Runs the rounds, several at a time, each lane one after another. */
async function inLanes(round: (n: number, lane: number) => Promise<void>, rounds = ROUNDS): Promise<void> {
  await Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      for (let n = lane; n < rounds; n += LANES) await round(n, lane);
    }),
  );
}

async function allArrived(t: TestContext, got: Set<number>, what: string, rounds = ROUNDS): Promise<void> {
  await waitFor(() => got.size === rounds, { message: () => `${rounds} messages; there were ${got.size}` }).catch(
    (error: unknown) => {
      t.diagnostic(`lost ${rounds - got.size} of ${rounds}`);
      throw error;
    },
  );
  t.diagnostic(`${what}, then published to from another worker: 0 of ${rounds} lost`);
}
