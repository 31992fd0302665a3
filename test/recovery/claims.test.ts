/** Which events carry a claim, what it says, and who never sees one. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { parseClaim } from "../../src/recovery/claim.js";
import { APP, arrivals, connectTo, fileScope, join, type Member } from "../hub/fleet.js";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { CLAIM, comeBack, leave, visitor, withoutClaims } from "./returning.js";

const scope = fileScope();
let node: TestNode;
let a: Member;
let b: Member;

before(async () => {
  node = await startNode({ app: APP, args: ["--recovery"] }, scope);
  [a, b] = [await connectTo(scope, node.url, 0), await connectTo(scope, node.url, 1)];
});

const claimOf = (event: readonly unknown[] | undefined) => {
  const claim = parseClaim(String(event?.at(-1)));
  assert.ok(claim !== undefined, JSON.stringify(event));
  return claim;
};

test("every event to a client ends in exactly one claim: to a room, to one, volatile, local, with binary, without arguments", async () => {
  await join("all kinds", a, b);
  await a.run(({ io, socket }) => {
    const room = io.to("all kinds");
    room.emit("plain", 1, "text");
    room.emit("bare");
    room.emit("binary", Buffer.from("x"));
    room.volatile.emit("volatile", "v");
    room.volatile.emit("volatile binary", Buffer.from("v"));
    room.local.emit("local", "l");
    room.local.emit("local binary", Buffer.from("l"));
    socket.emit("own", 1);
    socket.emit("own binary", Buffer.from("o"));
    socket.volatile.emit("own volatile", "string");
    socket.to("all kinds").emit("others", { quote: '"', line: "\u2028" });
    socket.send("message");
  });
  const [onA, onB] = await arrivals(a, [a, b]);
  const plain = [
    ["plain", 1, "text"],
    ["bare"],
    ["binary", Buffer.from("x")],
    ["volatile", "v"],
    ["volatile binary", Buffer.from("v")],
  ];
  assert.deepEqual(withoutClaims(onA ?? []), [
    ...plain,
    ["local", "l"],
    ["local binary", Buffer.from("l")],
    ["own", 1],
    ["own binary", Buffer.from("o")],
    ["own volatile", "string"],
    ["message", "message"],
  ]);
  assert.deepEqual(withoutClaims(onB ?? []), [...plain, ["others", { quote: '"', line: "\u2028" }]]);
});

test("a claim says how far the worker had come: its own publications by number, those of others by their place in the log", async () => {
  await join("numbers", a, b);
  const first = await a.run(({ io }) => void io.to("numbers").emit("first")).then(() => arrivals(a, [a, b]));
  const second = await b.run(({ io }) => void io.to("numbers").emit("second")).then(() => arrivals(b, [a, b]));
  const third = await a.run(({ io }) => void io.to("numbers").emit("third")).then(() => arrivals(a, [a, b]));
  const [own1, other2, own3] = [first, second, third].map(([onA]) => claimOf(onA?.[0]));
  assert.ok(own1 !== undefined && other2 !== undefined && own3 !== undefined);
  assert.equal(own1.tag, own3.tag);
  assert.equal(own1.streamId, undefined);
  assert.ok(other2.pos > own1.pos, "what comes through the hub has its place in the log");
  assert.ok(other2.wid === own1.wid && own3.wid === own1.wid);
  assert.ok(own3.seq > other2.seq && own3.pos >= other2.pos);
  const [onOther1, onOther2] = [first, second].map(([, onB]) => claimOf(onB?.[0]));
  assert.ok(onOther1 !== undefined && onOther2 !== undefined);
  assert.notEqual(onOther1.wid, own1.wid);
  assert.ok(onOther1.pos > own1.pos, "its publisher did not wait for the log");
});

test("acks carry none, nor do events that ask for one", async () => {
  assert.deepEqual(await a.client.timeout(5_000).emitWithAck("run", "() => ['x']", []), { value: ["x"] });
  const answers = await a.run(async ({ io, socket }) => ({
    one: (await socket.timeout(5_000).emitWithAck("echo", "only this")) as unknown,
    all: (await io.timeout(5_000).emitWithAck("echo", "that")) as unknown[],
  }));
  assert.deepEqual(answers, { one: "only this", all: ["that", "that"] });
  const [onA] = await arrivals(a, [a, b]);
  assert.deepEqual(onA, [
    ["echo", "only this"],
    ["echo", "that"],
  ]);
});

test("an event with ack to one client goes to that connection alone, and neither hub nor log hears of it", async () => {
  const before = await node.metric("limpet_hub_messages_total", { outcome: "received" });
  await b.run(({ socket }, id) => socket.join(id), a.id);
  const answer = await a.run(({ socket }) => socket.timeout(5_000).emitWithAck("echo", "just me") as Promise<unknown>);
  assert.equal(answer, "just me");
  await b.run(({ socket }, id) => socket.leave(id), a.id);
  assert.equal((await node.metric("limpet_hub_messages_total", { outcome: "received" })) - before, 0);
  const [onA, onB] = await arrivals(a, [a, b]);
  assert.deepEqual([onA, onB], [[["echo", "just me"]], []]);
});

test("socket.emit goes to that connection alone; io.to(id) is for every member of a room of that name", async () => {
  await b.run(({ socket }, id) => socket.join(id), a.id);
  await a.run(({ io, socket }) => {
    socket.emit("mine");
    io.to(socket.id).emit("ours");
  });
  const [onA, onB] = await arrivals(a, [a, b]);
  await b.run(({ socket }, id) => socket.leave(id), a.id);
  assert.deepEqual(withoutClaims(onA ?? []), [["mine"], ["ours"]]);
  assert.deepEqual(withoutClaims(onB ?? []), [["ours"]]);
});

test("outgoing listeners see no claim, and what they emit themselves comes behind the event", async () => {
  await join("listened", a, b);
  for (const member of [a, b]) {
    await member.run(({ socket }) => {
      const seen: unknown[] = ((socket.data as { seen?: unknown[] }).seen = []);
      socket.onAnyOutgoing((...args: unknown[]) => {
        seen.push(args);
        if (args[0] === "echoing") socket.emit("after it");
      });
    });
  }
  await a.run(({ io, socket }) => {
    io.to("listened").emit("echoing", 1);
    io.to("listened").emit("binary", Buffer.from("b"));
    socket.emit("own", 2);
  });
  const [onA, onB] = await arrivals(a, [a, b]);
  const seen = await Promise.all(
    [a, b].map((member) =>
      member.run(({ socket }) => {
        socket.offAnyOutgoing();
        return (socket.data as { seen: unknown[] }).seen.filter(
          (args) => !String((args as string[])[0]).startsWith("mark"),
        );
      }),
    ),
  );
  assert.deepEqual(withoutClaims(onB ?? []), [["echoing", 1], ["after it"], ["binary", Buffer.from("b")]]);
  assert.deepEqual(withoutClaims(onA ?? []), [["echoing", 1], ["after it"], ["binary", Buffer.from("b")], ["own", 2]]);
  assert.deepEqual(seen[1], [["echoing", 1], ["after it"], ["binary", Buffer.from("b")]]);
  assert.deepEqual(seen[0], [["echoing", 1], ["after it"], ["binary", Buffer.from("b")], ["own", 2]]);
});

test("servers hear each other without claims", async () => {
  const answers = await a.run(({ io }) => io.serverSideEmitWithAck("who", "a string"));
  assert.deepEqual(answers, [{ worker: 1, args: ["a string"] }]);
});

test("volatile and local events are not given again, and a string in them is no offset", async () => {
  const member = await visitor(scope, node.url);
  await member.run(({ socket }) => socket.join("fleeting"));
  await b.run(({ io }) => void io.to("fleeting").emit("kept", 1));
  await b.run(({ io }) => void io.to("fleeting").volatile.emit("volatile", "no offset"));
  // Nothing is promised of the order in which two workers are heard.
  await waitFor(() => member.received.length === 2);
  await member.run(({ io }) => void io.local.to("fleeting").emit("local", "no offset either"));
  await member.run(({ socket }) => void socket.volatile.emit("own volatile", "nor this"));
  await waitFor(() => member.received.length === 4);
  await leave(member);
  await b.run(({ io }) => {
    io.to("fleeting").volatile.emit("volatile", "while away");
    io.local.to("fleeting").emit("local", "while away");
    io.to("fleeting").emit("kept", 2);
  });
  assert.equal(await comeBack(member), true);
  const [events] = await arrivals(b, [member]);
  assert.deepEqual(
    withoutClaims(events ?? []).map(([name]) => name),
    ["kept", "volatile", "local", "own volatile", "kept"],
  );
});

test("what a socket is sent after it is gone waits for its client", async () => {
  const member = await visitor(scope, node.url);
  await b.run(({ io }) => void io.emit("first"));
  await member.run(({ io, socket }) => {
    socket.on("disconnect", () => socket.emit("too late", io.of("/").sockets.has(socket.id)));
  });
  await leave(member);
  await waitFor(async () => (await node.metric("limpet_recovery_sessions", { state: "away" })) > 0);
  assert.equal(await comeBack(member), true);
  await waitFor(() => member.received.some(([name]) => name === "too late"));
  const late = member.received.filter(([name]) => name === "too late");
  assert.deepEqual(withoutClaims(late), [["too late", false]]);
  assert.match(String(late[0]?.at(-1)), CLAIM);
});
