/** The built-in app over the wire, with stock clients on the two workers of one node. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test, { after, before, type TestContext } from "node:test";
import type { Socket } from "socket.io-client";
import { startNode, type TestNode } from "../support/node.js";
import { ask, connect, connectToTwoWorkers, next } from "./clients.js";

let node: TestNode;
let rooms = 0;
const newRoom = (): string => `room ${++rooms}`;

before(async () => {
  node = await startNode();
});

after(async () => {
  await node.stop();
});

const workerOf = async (client: Socket): Promise<number> => Number((await ask(client, "whoami"))["worker"]);

/** Ada and Bo in one room, on two workers. */
async function adaAndBo(t: TestContext, options = {}): Promise<{ ada: Socket; bo: Socket; room: string }> {
  const [ada, bo] = await connectToTwoWorkers(t, node.url, workerOf, options);
  const room = newRoom();
  assert.equal((await ask(ada, "room:join", { room, name: "Ada" })).ok, true);
  const joined = next(ada, "member:joined");
  assert.equal((await ask(bo, "room:join", { room, name: "Bo" })).ok, true);
  await joined;
  return { ada, bo, room };
}

const names = (answer: Record<string, unknown>): string[] =>
  (answer["members"] as { name: string }[]).map(({ name }) => name).sort();

const png = (bytes: number): Buffer => Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), randomBytes(bytes - 8)]);

test("whoami says node, worker, process and transport, and the limits that hold", async (t) => {
  const client = await connect(t, node.url, { transports: ["websocket"] });
  const { ok, id, node: nodeId, worker, pid, transport, limits } = await ask(client, "whoami");
  assert.equal(ok, true);
  assert.equal(id, client.id);
  assert.equal(nodeId, 0);
  assert.ok(Number.isInteger(worker));
  assert.ok(Number(pid) > 1 && pid !== process.pid);
  assert.equal(transport, "websocket");
  assert.equal((limits as { imageBytes: number }).imageBytes, 700_000);
  assert.deepEqual(await ask(client, "rtt"), { ok: true });
});

test("members of a room are those of all workers, and joins and leaves are told", async (t) => {
  const { ada, bo, room } = await adaAndBo(t);
  const members = await ask(ada, "room:members", { room });
  assert.deepEqual(names(members), ["Ada", "Bo"]);
  assert.equal(members["count"], 2);
  assert.equal(members["partial"], false);
  const workers = (members["members"] as { worker: number }[]).map(({ worker }) => worker);
  assert.equal(new Set(workers).size, 2);

  const left = next<{ room: string; member: { name: string; id: string } }>(ada, "member:left");
  const { id } = bo;
  assert.deepEqual(await ask(bo, "room:leave", { room }), { ok: true, room });
  const { member } = await left;
  assert.deepEqual([member.name, member.id], ["Bo", id]);
  assert.deepEqual(names(await ask(ada, "room:members", { room })), ["Ada"]);
});

test("a client that disconnects leaves its rooms", async (t) => {
  const { ada, bo, room } = await adaAndBo(t);
  const left = next(ada, "member:left");
  bo.disconnect();
  assert.equal((await left)["room"], room);
  assert.deepEqual(names(await ask(ada, "room:members", { room })), ["Ada"]);
});

test("joining again under another name tells the room the new one", async (t) => {
  const { ada, bo, room } = await adaAndBo(t);
  const second = newRoom();
  const renamed = next<{ room: string; member: { name: string } }>(ada, "member:joined");
  await ask(bo, "room:join", { room: second, name: "Bodil" });
  const { room: where, member } = await renamed;
  assert.deepEqual([where, member.name], [room, "Bodil"]);
});

for (const transports of [["websocket"], ["polling"]]) {
  test(`texts and images reach the other worker unchanged over ${transports[0]}, and only the others`, async (t) => {
    const { ada, bo, room } = await adaAndBo(t, { transports });
    ada.on("message", () => assert.fail("the sender heard its own message"));
    ada.on("image", () => assert.fail("the sender heard its own image"));
    const text = "tide 🌊 with\na second line";
    const message = next<{ text: string; room: string; id: string; from: { name: string } }>(bo, "message");
    const sent = await ask(ada, "room:publish", { room, text });
    const heard = await message;
    assert.deepEqual([heard.text, heard.room, heard.id, heard.from.name], [text, room, sent["id"], "Ada"]);

    const image = png(300_000);
    const picture = next<{ image: Buffer; type: string }>(bo, "image");
    assert.equal((await ask(ada, "room:image", { room, image })).ok, true);
    const { image: received, type } = await picture;
    assert.equal(type, "image/png");
    assert.ok(image.equals(Buffer.from(received)));
  });
}

test("who types is told to the others", async (t) => {
  const { ada, bo, room } = await adaAndBo(t);
  const typing = next<{ from: { name: string }; typing: boolean }>(bo, "typing");
  assert.deepEqual(await ask(ada, "room:typing", { room, typing: true }), { ok: true });
  assert.deepEqual(((event) => [event.from.name, event.typing])(await typing), ["Ada", true]);
});

test("a member whose connection broke is back in its rooms, has what was said meanwhile, and the others are told", async (t) => {
  const { ada, bo, room } = await adaAndBo(t);
  const { id } = bo;
  const left = next(ada, "member:left");
  bo.io.engine.close();
  await left;
  assert.equal((await ask(ada, "room:publish", { room, text: "missed" })).ok, true);
  const joined = next<{ member: { id: string; name: string; worker: number } }>(ada, "member:joined");
  const missed = next<{ text: string }>(bo, "message");
  bo.connect();
  assert.equal((await missed).text, "missed");
  const { member } = await joined;
  assert.deepEqual([bo.recovered, bo.id, member.id, member.name], [true, id, id, "Bo"]);
  assert.equal(member.worker, await workerOf(bo), "where it is now");
  assert.deepEqual(names(await ask(bo, "room:members", { room })), ["Ada", "Bo"]);
});

test("the list of rooms counts the members on all workers", async (t) => {
  const { ada, room } = await adaAndBo(t);
  const { rooms: listed, partial } = await ask(ada, "room:list");
  assert.equal(partial, false);
  assert.deepEqual(
    (listed as { room: string }[]).find((entry) => entry.room === room),
    { room, members: 2 },
  );
});

test("names and rooms are trimmed and normalised, so equal ones meet", async (t) => {
  const { ada, room } = await adaAndBo(t);
  const client = await connect(t, node.url);
  const joined = await ask(client, "room:join", { room: `  ${room} `, name: "Zoe\u0308 " });
  assert.equal(joined["room"], room);
  assert.deepEqual(names(await ask(ada, "room:members", { room })), ["Ada", "Bo", "Zoë"]);
});

test("what is not a member's may not be read, written or left", async (t) => {
  const { room } = await adaAndBo(t);
  const stranger = await connect(t, node.url);
  const attempts: [string, object][] = [
    ["room:members", { room }],
    ["room:publish", { room, text: "x" }],
    ["room:image", { room, image: png(20) }],
    ["room:typing", { room, typing: true }],
    ["room:leave", { room }],
  ];
  for (const [event, payload] of attempts) {
    assert.equal((await ask(stranger, event, payload)).error?.code, "not_a_member", event);
  }
});

test("no channel can be named after a socket's id to listen in on it", async (t) => {
  const { ada, bo } = await adaAndBo(t);
  const id = ada.id ?? assert.fail();
  await ask(bo, "room:join", { room: id, name: "Bo" });
  const { members } = await ask(bo, "room:members", { room: id });
  assert.deepEqual(
    (members as { id: string }[]).map((member) => member.id),
    [bo.id],
  );
});

test("one connection can be in twenty rooms, and the next is refused until one is left", async (t) => {
  const client = await connect(t, node.url);
  const own = Array.from({ length: 21 }, newRoom);
  const answers = await Promise.all(own.map((room) => ask(client, "room:join", { room, name: "Ada" })));
  assert.deepEqual(
    answers.map(({ ok, error }) => (ok ? "ok" : error?.code)),
    [...Array<string>(20).fill("ok"), "too_many_rooms"],
  );
  assert.equal((await ask(client, "room:join", { room: own[0], name: "Ada" })).ok, true, "again is not one more");
  await ask(client, "room:leave", { room: own[0] });
  assert.equal((await ask(client, "room:join", { room: own[20], name: "Ada" })).ok, true);
});

test("inputs that are wrong are refused with the key and what is allowed, and the session lives on", async (t) => {
  const { ada, room } = await adaAndBo(t);
  const circularLooking = { room: { room: { room: {} } }, name: ["Ada"] };
  const wrong: [string, unknown[], RegExp][] = [
    ["room:join", [], /payload/],
    ["room:join", [null], /payload/],
    ["room:join", ["room"], /payload/],
    ["room:join", [[room, "Ada"]], /payload/],
    ["room:join", [circularLooking], /room: .*name: /],
    ["room:join", [{ room: "", name: "Ada" }], /room: must not be empty/],
    ["room:join", [{ room: " \t ", name: "Ada" }], /room: must not be empty/],
    ["room:join", [{ room: "x".repeat(65), name: "Ada" }], /room: .*64/],
    ["room:join", [{ room, name: "x".repeat(33) }], /name: .*32/],
    ["room:join", [{ room, name: "a\u0000b" }], /name: .*control/],
    ["room:join", [{ room, name: "\ud800" }], /name: .*control/],
    ["room:join", [{ room, name: "abc\u202Edef" }], /name: .*control/],
    ["room:join", [{ room, name: { toString: "Ada" } }], /name: /],
    ["room:publish", [{ room, text: "" }], /text: must not be empty/],
    ["room:publish", [{ room, text: "x".repeat(4001) }], /text: .*4000/],
    ["room:publish", [{ room, text: "\u0007" }], /text: .*control/],
    ["room:publish", [{ room, text: Buffer.from("text") }], /text: /],
    ["room:image", [{ room, image: "iVBORw0KGgo=" }], /image: must be binary/],
    ["room:typing", [{ room, typing: "yes" }], /typing: /],
    ["room:leave", [{ __proto__: null, room: 7 }], /room: /],
  ];
  for (const [event, payload, message] of wrong) {
    const { ok, error } = await ask(ada, event, ...payload);
    assert.equal(ok, false, event);
    assert.equal(error?.code, "invalid");
    assert.match(error.message, message);
  }
  assert.equal((await ask(ada, "room:publish", { room, text: "still here" })).ok, true);
});

test("images are refused when they are too large or none", async (t) => {
  const { ada, room } = await adaAndBo(t, { transports: ["websocket"] });
  const large = await ask(ada, "room:image", { room, image: png(700_001) });
  assert.equal(large.error?.code, "image_too_large");
  assert.match(large.error?.message ?? "", /700000 bytes, this one has 700001/);
  const svg = await ask(ada, "room:image", { room, image: Buffer.from("<svg onload='alert(1)'/>") });
  assert.equal(svg.error?.code, "image_type");
  assert.equal((await ask(ada, "room:image", { room, image: png(700_000) })).ok, true);
});

test("events that do not exist are answered, even with the names of built-ins", async (t) => {
  const client = await connect(t, node.url);
  const { pid } = await ask(client, "whoami");
  for (const event of ["nothing", "__proto__", "constructor", "toString", "hasOwnProperty", "error", ""]) {
    const { ok, error } = await ask(client, event, { room: "x" });
    assert.deepEqual([ok, error?.code], [false, "unknown_event"], event);
  }
  assert.equal((await ask(client, "whoami"))["pid"], pid, "the same process still serves it");
});

test("an event without an acknowledgement, or with arguments after the payload, does its work", async (t) => {
  const { ada, bo, room } = await adaAndBo(t);
  const first = next(bo, "message");
  ada.emit("room:publish", { room, text: "no acknowledgement" });
  assert.equal((await first)["text"], "no acknowledgement");
  const second = next(bo, "message");
  ada.emit("room:publish", { room, text: "more arguments" }, "offset", 7);
  assert.equal((await second)["text"], "more arguments");
  ada.emit("room:publish");
  ada.emit("room:join", "not a function");
  assert.equal((await ask(ada, "rtt")).ok, true);
});

test("the events are counted by outcome, without room names", async (t) => {
  const client = await connect(t, node.url);
  const labels = { event: "room:typing", outcome: "not_a_member" };
  await ask(client, "room:typing", { room: "nowhere", typing: true });
  const before = await node.metric("channels_events_total", labels);
  await ask(client, "room:typing", { room: "nowhere", typing: true });
  await ask(client, "room:typing", { room: "nowhere", typing: true });
  assert.equal(await node.metric("channels_events_total", labels), before + 2);
});
