/** Rooms named by clients: an app may hand on whatever it is sent, and nothing of it ends a process, fills one, or stops the other rooms. */
import assert from "node:assert/strict";
import test, { before, type TestContext } from "node:test";
import { io, type Socket } from "socket.io-client";
import { rssMiB } from "../front/kernel.js";
import { slotOf, webSocketOnEach } from "../front/sessions.js";
import { WebSocketSession } from "../support/engine-client.js";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { fileScope } from "./fleet.js";

const DEADLINE_MS = 10_000;
const TEN_KB = "r".repeat(10_000);

const scope = fileScope();
let node: TestNode;
before(async () => {
  node = await startNode({ app: "test/hub/any-room-app.mjs" }, scope);
});

/** Stock clients on workers 0 and 1. */
async function pair(t: TestContext): Promise<readonly [Socket, Socket]> {
  const bySlot = new Map<number, Socket>();
  await waitFor(
    async () => {
      const client = io(node.url, { forceNew: true, reconnection: false, transports: ["websocket"] });
      t.after(() => void client.disconnect());
      await waitFor(() => client.connected, { intervalMs: 2 });
      bySlot.set(slotOf({ sid: client.io.engine.id ?? "" }), client);
      return bySlot.size === 2;
    },
    { intervalMs: 0, message: "a client on each worker" },
  );
  return [bySlot.get(0), bySlot.get(1)] as [Socket, Socket];
}

const call = async (client: Socket, event: string, ...args: unknown[]): Promise<unknown> =>
  client.timeout(DEADLINE_MS).emitWithAck(event, ...args);

/** What these clients were sent, by client. */
function record(...clients: Socket[]): unknown[][] {
  return clients.map((client) => {
    const messages: unknown[] = [];
    client.on("published", (message: unknown) => messages.push(message));
    return messages;
  });
}

const pids = async (): Promise<number[]> => [node.pid, ...(await node.workers()).map(({ pid }) => pid)];

const ODD_ROOMS: readonly (readonly [what: string, room: unknown])[] = [
  ["an object", { x: 1 }],
  ["an empty object", {}],
  ["an object that looks like a Set", { size: 1, has: "x" }],
  ["an object with __proto__", JSON.parse('{"__proto__":{"x":1}}')],
  ["a list", ["a", "b"]],
  ["an empty list", []],
  ["a list of odd things", [null, { x: 1 }, [1], true, "a", 7]],
  ["a list in lists", [[[["deep"]]]]],
  ["null", null],
  ["true", true],
  ["false", false],
  ["bytes", Buffer.from([1, 2, 3])],
  ["an empty string", ""],
  ["10 kB", TEN_KB],
  ["__proto__", "__proto__"],
  ["constructor", "constructor"],
  ["toString", "toString"],
  ["half a surrogate", "\ud83d"],
  ["a NUL", "a\u0000b"],
  ["a fraction", 1.5],
  ["a negative number", -1],
  ["a huge number", 1e300],
];

test("whatever is joined, published to, asked for, moved and left, no process ends and both workers go on", async (t) => {
  const before = await pids();
  const [a, b] = await pair(t);
  for (const [what, room] of ODD_ROOMS) {
    for (const client of [a, b]) {
      for (const [event, ...args] of [
        ["join", room],
        ["publish", room, "m"],
        ["move", room, "moved"],
        ["move", "moved", room],
        ["leave", room],
        ["publish", room, "m"],
      ] as const) {
        await call(client, event, ...args).catch((cause: unknown) => {
          throw new Error(`${event} of ${what} was not acknowledged`, { cause });
        });
      }
      const count = await call(client, "count", room).catch(() => "no answer");
      assert.equal(typeof count, "number", `sockets in ${what}: ${String(count)}`);
    }
  }
  const got = record(a, b);
  const room = "ordinary";
  await call(a, "join", room);
  await call(b, "publish", room, "still here");
  await waitFor(() => got[0]?.includes("still here"), { message: "a message to an ordinary room" });
  assert.deepEqual(await pids(), before);
  assert.doesNotMatch(node.output(), /"level":"(error|fatal)"/);
});

test("rooms named by strings and by numbers are reached across workers, and each is a room of its own", async (t) => {
  const [a, b] = await pair(t);
  const [onA = []] = record(a);
  const rooms = [
    "s",
    "",
    "7",
    7,
    0,
    -1,
    1.5,
    1e300,
    TEN_KB,
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "\ud83d\ude00",
    "a\u0000b",
  ];
  /** What A is sent when B publishes to each room. */
  const reached = async (): Promise<unknown[]> => {
    for (const [index] of rooms.entries()) await call(b, "publish", rooms[index], index);
    await call(b, "publish", a.id, "end");
    await waitFor(() => onA.includes("end"), { message: "the last message" });
    return onA.splice(0).filter((message) => message !== "end");
  };
  const all = rooms.map((_, index) => index);
  assert.deepEqual(await reached(), []);
  for (const room of rooms) await call(a, "join", room);
  assert.deepEqual(await reached(), all);
  for (const [index, room] of rooms.entries()) assert.equal(await call(b, "count", room), 1, `room ${index}`);
  for (const [index, room] of rooms.entries()) {
    await call(a, "leave", room);
    assert.deepEqual(await reached(), all.slice(index + 1), `when room ${index} was left`);
  }
});

test("a list of rooms is all of its rooms, across workers", async (t) => {
  const [a, b] = await pair(t);
  const [onA = []] = record(a);
  await call(a, "join", ["one", 2, { three: 3 }]);
  for (const room of ["one", 2]) await call(b, "publish", room, room);
  await waitFor(() => onA.length === 2, { message: () => `two messages; there is ${JSON.stringify(onA)}` });
  await call(b, "publish", ["none", "one", 2], "once");
  await waitFor(() => onA.includes("once"), { message: "the message to a list" });
  assert.deepEqual(onA, ["one", 2, "once"]);
});

/** Joins as many rooms, each named by an object of its own, and leaves them all by going away. */
async function joinObjects(t: TestContext, count: number): Promise<void> {
  const [session] = await webSocketOnEach(t, { port: node.port });
  assert.ok(session instanceof WebSocketSession);
  await session.joinMain();
  const filler = "x".repeat(2_000);
  for (let n = 1; n <= count; n++) {
    session.send(`42["join",${JSON.stringify({ n, filler })}]`);
    if (n % 1_000 !== 0) continue;
    session.send(`42${n}["echo",${n}]`);
    assert.equal(await session.next(), `43${n}[${n}]`);
  }
  await session.close();
}

test("20,000 rooms named by objects, joined and left, leave the primary's memory flat", async (t) => {
  const ROUND = 5_000;
  /** 15,000 names of 2 kB that stayed would be some 30 MB. */
  const FLAT_MIB = 12;
  await joinObjects(t, ROUND);
  const residentMiB = [rssMiB(node.pid)];
  for (let round = 1; round < 4; round++) {
    await joinObjects(t, ROUND);
    residentMiB.push(rssMiB(node.pid));
  }
  t.diagnostic(`primary after each ${ROUND} rooms: ${residentMiB.map((mib) => mib.toFixed(1)).join(", ")} MiB`);
  const growth = (residentMiB.at(-1) ?? Infinity) - (residentMiB[0] ?? 0);
  assert.ok(growth < FLAT_MIB, `it grew by ${growth.toFixed(1)} MiB`);
});
