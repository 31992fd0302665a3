/** Entries and requests that a worker cannot read are skipped and counted: no worker ends of them, and the next one is delivered. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { encode } from "@msgpack/msgpack";
import { fileScope, type Member } from "../hub/fleet.js";
import type { TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { startNodes, STREAM, type Nodes } from "./fleet.js";

const scope = fileScope();
let fleet: Nodes;
let node: TestNode;
let a: Member, a2: Member;
before(async () => {
  fleet = await startNodes(scope, { nodes: 1 });
  [a, a2] = fleet.members as [Member, Member];
  [node] = fleet.nodes as [TestNode];
});

const BROADCAST = 3;
const JOIN = 4;
const LEAVE = 5;
const DISCONNECT = 6;
const FETCH = 7;
const SERVER_SIDE_EMIT = 9;

const opts = { rooms: [], except: [], flags: {} };
const packet = (data: unknown, more: object = {}) => ({ type: 2, data, nsp: "/", ...more });

const skipped = (): Promise<number> => node.metric("limpet_bus_skipped_total");
const add = (type: number | string, data: string, more: string[] = []): Promise<unknown> =>
  fleet.client.call("XADD", STREAM, "*", "uid", "stranger", "nsp", "/", "type", String(type), "data", data, ...more);
const publish = (type: number, data: object, nsp = "/"): Promise<unknown> =>
  fleet.client.publish(`socket.io#${nsp}#`, Buffer.from(encode({ uid: "stranger", nsp, type, data })));

let hellos = 0;

/** The next entry and the next request come through, in both workers, and both are the ones that were there from the start. */
async function assertWell(): Promise<void> {
  const n = ++hellos;
  await add(BROADCAST, JSON.stringify({ packet: packet(["hello", n]), opts }));
  for (const { received } of [a, a2])
    await waitFor(() => received.some(([event, value]) => event === "hello" && value === n), {
      message: `the message after it`,
    });
  assert.equal(await a.run(async ({ io }) => (await io.fetchSockets()).length), 2);
  assert.ok(a.client.connected && a2.client.connected);
  for (const member of [a, a2])
    assert.deepEqual(
      member.received.splice(0, member.received.length).filter(([event]) => event !== "hello"),
      [],
    );
  assert.deepEqual(
    node.logs().filter(({ msg }) => /ended unexpectedly|uncaught/.test(msg)),
    [],
  );
}

const json = (data: unknown): string => JSON.stringify(data);
const packed = (data: unknown): string => Buffer.from(encode(data)).toString("base64");

/** Each is skipped by those who would have to read it. */
const unreadable: Readonly<Record<string, readonly [type: number | string, data: string]>> = {
  "a payload that is cut short": [BROADCAST, '{"packet":'],
  "a payload that is no MessagePack": [BROADCAST, "wcHBwQ=="],
  "an empty payload": [BROADCAST, ""],
  "a payload that is a number": [BROADCAST, packed(7)],
  "a payload that is null": [BROADCAST, packed(null)],
  "a broadcast without a packet": [BROADCAST, json({ opts })],
  "a packet without data": [BROADCAST, json({ packet: { type: 2 }, opts })],
  "a packet whose data is a text": [BROADCAST, json({ packet: packet("text"), opts })],
  "a packet without an event": [BROADCAST, json({ packet: packet([]), opts })],
  "a packet of an unknown type": [BROADCAST, json({ packet: packet(["x"], { type: 77 }), opts })],
  "a packet whose type is a text": [BROADCAST, json({ packet: packet(["x"], { type: "2" }), opts })],
  "a packet that opens a connection": [BROADCAST, json({ packet: packet(["x"], { type: 0 }), opts })],
  "a packet that closes a connection": [BROADCAST, json({ packet: packet(["x"], { type: 1 }), opts })],
  "a packet of a name that clients refuse": [BROADCAST, json({ packet: packet(["disconnect"]), opts })],
  "a packet whose id is a text": [BROADCAST, json({ packet: packet(["x"], { id: "7[" }), opts })],
  "a packet that is nested too deep": [
    BROADCAST,
    `{"packet":{"type":2,"data":["x",${"[".repeat(100_000)}${"]".repeat(100_000)}]},"opts":${json(opts)}}`,
  ],
  "options that are missing": [BROADCAST, json({ packet: packet(["x"]) })],
  "rooms that are a text": [BROADCAST, json({ packet: packet(["x"]), opts: { ...opts, rooms: "room" } })],
  "except that is a number": [BROADCAST, json({ packet: packet(["x"]), opts: { ...opts, except: 5 } })],
  "flags that are a text": [BROADCAST, json({ packet: packet(["x"]), opts: { ...opts, flags: "volatile" } })],
  "a join without rooms": [JOIN, json({ opts })],
  "a join of a text": [JOIN, json({ opts, rooms: "room" })],
  "a leave without rooms": [LEAVE, json({ opts })],
  "a disconnect without options": [DISCONNECT, json({ close: true })],
  "word to servers without a packet": [SERVER_SIDE_EMIT, json({})],
  "word to servers whose packet is a text": [SERVER_SIDE_EMIT, json({ packet: "note" })],
  "word to servers without an event": [SERVER_SIDE_EMIT, json({ packet: [] })],
  "word to servers of a connection": [SERVER_SIDE_EMIT, json({ packet: ["connection", { id: "x" }] })],
  "a type that is a text": ["broadcast", json({ packet: packet(["x"]), opts })],
};

for (const [what, [type, data]] of Object.entries(unreadable)) {
  test(`${what} is skipped and counted`, async () => {
    const since = await skipped();
    await add(type, data);
    await assertWell();
    await waitFor(async () => (await skipped()) > since, { message: "the count of skipped entries to grow" });
  });
}

test("an entry that is not of this fleet at all is skipped and counted", async () => {
  const since = await skipped();
  await fleet.client.call("XADD", STREAM, "*", "temperature", "21.5");
  await fleet.client.call("XADD", STREAM, "*", "uid", "x", "type", "3", "l", "{");
  await fleet.client.call(
    "XADD",
    STREAM,
    "*",
    "uid",
    "x",
    "nsp",
    "/",
    "type",
    "3",
    "l",
    '{"n":1,"e":[5,[],{}]}',
    "data",
    "{}",
  );
  await assertWell();
  assert.ok((await skipped()) >= since + 2);
});

test("entries of types that nobody knows are passed over", async () => {
  for (const type of [1, 2, 8, 13, 99]) await add(type, "{}");
  await assertWell();
});

test("requests that cannot be read are skipped and counted", async () => {
  const since = await skipped();
  await fleet.client.publish("socket.io#/#", "no MessagePack: \u00c1\u00c1");
  await fleet.client.publish("socket.io#/#", Buffer.from(encode(null)));
  await fleet.client.publish("socket.io#/#", Buffer.from(encode({ uid: "x" })));
  await publish(99, {});
  await publish(FETCH, { requestId: "r" });
  await publish(FETCH, { requestId: "r", opts: { rooms: 5 } });
  await publish(SERVER_SIDE_EMIT, { requestId: "r" });
  await publish(SERVER_SIDE_EMIT, { requestId: 5, packet: ["note"] });
  await publish(BROADCAST, { requestId: "r", opts });
  await assertWell();
  await waitFor(async () => (await skipped()) >= since + 9, { message: "the count of skipped requests to grow" });
});

test("answers to nobody, and answers that cannot be read, change nothing", async () => {
  const channels = (await fleet.client.pubsub("CHANNELS", "socket.io#/#?*")) as string[];
  const [own] = channels;
  assert.ok(own !== undefined, "the node's private channel");
  const answer = (type: number, data: unknown): Promise<unknown> =>
    fleet.client.publish(own, Buffer.from(encode({ uid: "stranger", nsp: "/", type, data })));
  await answer(8, { requestId: "unknown", sockets: [] });
  await answer(8, {});
  await answer(8, null);
  await answer(99, { requestId: "unknown" });
  await assertWell();
});

test("a handler that throws is called once; its worker goes on, and what it threw is logged and counted", async () => {
  const channel = "throws";
  const count = (): number => node.logs().filter(({ msg }) => msg === "about to throw").length;
  await a.run(({ io, limpet }, event) => {
    io.on(event as "connection", () => {
      limpet.log.info("about to throw");
      throw new Error("of the app");
    });
  }, channel);
  const before = (await node.workers()).map(({ pid }) => pid);
  const errors = await node.metric("limpet_app_errors_total");
  await add(SERVER_SIDE_EMIT, json({ packet: [channel] }));
  await node.waitForLog(({ msg }) => msg === "a listener of the app failed at a message of another server");
  await add(BROADCAST, json({ packet: packet(["hello", "after"]), opts }));
  await waitFor(() => a2.received.some(([, value]) => value === "after"));
  assert.equal(count(), 1);
  assert.equal(await node.metric("limpet_app_errors_total"), errors + 1);
  assert.deepEqual(
    (await node.workers()).map(({ pid }) => pid),
    before,
  );
});
