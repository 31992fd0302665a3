/** What clients send beyond their bounds: refused with a word to whoever can use one, and never the end of a worker. */
import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import type { Socket } from "socket.io";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { waitFor, within } from "../support/wait.js";
import { startPair } from "../transport/on-both.js";
import { startGatedServer, type GatedServer } from "../worker/gated-server.js";

async function refusals({ metrics }: GatedServer): Promise<Record<string, number>> {
  const metric = (await metrics.snapshot()).find(({ name }) => name === "limpet_client_refusals_total");
  const { values } = metric as unknown as { values: { value: number; labels: { reason: string } }[] };
  return Object.fromEntries(values.filter(({ value }) => value > 0).map(({ value, labels }) => [labels.reason, value]));
}

test("events beyond the burst are refused: no listener sees them, and acks are told", async (t) => {
  const client = { maxEventsPerSecond: 1, maxEventsBurst: 3 };
  const { server, client: session, socket } = await startPair(t, { client });
  const heard: unknown[] = [];
  socket.on("e", (n: number, ack?: (answer: string) => void) => {
    heard.push(n);
    ack?.("taken");
  });
  for (let n = 0; n < 3; n++) session.send(`42${n}["e",${n}]`);
  session.send('42["e",3]');
  session.send('424["e",4]');
  const answers = [];
  while (answers.length < 4) answers.push(await session.next());
  const taken = [0, 1, 2].map((n) => `43${n}["taken"]`);
  assert.deepEqual(answers.toSorted(), [...taken, '434[{"error":"too_many_events"}]']);
  assert.deepEqual(heard, [0, 1, 2]);
  assert.deepEqual(await refusals(server), { too_many_events: 2 });
});

test("a socket that goes on for a burst of refusals is disconnected, and its connection with it", async (t) => {
  const client = { maxEventsPerSecond: 1, maxEventsBurst: 3 };
  const { server, client: session, socket } = await startPair(t, { client });
  const ended = once(socket, "disconnect");
  for (let n = 0; n < 50; n++) session.send('42["e"]');
  const [reason] = (await within(ended, 10_000, "the end")) as [string];
  assert.equal(reason, "server namespace disconnect");
  assert.equal(await session.next(), "41");
  await waitFor(() => session.closed);
  assert.deepEqual(await refusals(server), { too_many_events: 2, event_flood: 1 });
});

test("sockets of one connection have a budget each", async (t) => {
  const server = await startGatedServer(t, {}, { client: { maxEventsPerSecond: 1, maxEventsBurst: 2 } });
  const heard: string[] = [];
  for (const name of ["/", "/other"])
    server.io.of(name).on("connection", (socket) => socket.onAny(() => heard.push(socket.nsp.name)));
  const session = await WebSocketSession.open(t, { port: server.port });
  await session.joinMain();
  session.send("40/other,");
  await session.next();
  for (let n = 0; n < 3; n++) {
    session.send('42["e"]');
    session.send('42/other,["e"]');
  }
  await waitFor(async () => (await refusals(server))["too_many_events"] === 2);
  assert.deepEqual(heard.toSorted(), ["/", "/", "/other", "/other"]);
});

test("a join beyond the bound rejects and joins none of its rooms; leaving makes room again", async (t) => {
  const { server, socket } = await startPair(t, { client: { maxRooms: 3 } });
  await socket.join(["a", "b"]);
  await assert.rejects(async () => socket.join(["c", "d"]), { code: "LIMPET_TOO_MANY_ROOMS" });
  assert.deepEqual([...socket.rooms], [socket.id, "a", "b"]);
  await socket.join(["a", "b", "c"]);
  await assert.rejects(async () => socket.join("d"), { name: "TooManyRoomsError" });
  await socket.leave("a");
  await socket.join("d");
  assert.deepEqual([...socket.rooms], [socket.id, "b", "c", "d"]);
  server.io.socketsJoin("e");
  assert.equal(socket.rooms.has("e"), false);
  assert.deepEqual(await refusals(server), { too_many_rooms: 3 });
});

test("many requests for one namespace in one POST make no more sockets than may be", async (t) => {
  const server = await startGatedServer(t, {}, { client: { maxNamespaces: 4 } });
  let made = 0;
  server.io.use((_socket, next) => {
    made++;
    setImmediate(next);
  });
  const session = await PollingSession.open(t, { port: server.port });
  await session.post(...Array.from({ length: 50 }, () => "40"));
  const answers = await session.poll();
  assert.equal(made, 4);
  assert.equal(answers.filter((packet) => packet === '44{"message":"Too many namespaces"}').length, 46);
  assert.deepEqual(await refusals(server), { too_many_namespaces: 46 });
});

test("a namespace whose middleware refused, or that was left, no longer counts", async (t) => {
  const server = await startGatedServer(t, {}, { client: { maxNamespaces: 2 } });
  server.io.of("/closed").use((_socket, next) => next(new Error("closed")));
  server.io.of("/open");
  const session = await WebSocketSession.open(t, { port: server.port });
  await session.joinMain();
  for (let n = 0; n < 5; n++) {
    session.send("40/closed,");
    assert.equal(await session.next(), '44/closed,{"message":"closed"}');
    session.send("40/open,");
    assert.match(String(await session.next()), /^40\/open,\{"sid"/);
    session.send("41/open,");
    await waitFor(() => server.io.of("/open").sockets.size === 0);
  }
  assert.deepEqual(await refusals(server), {});
});

test("acks that a client never sends are given up, the oldest first, and the others still come", async (t) => {
  const { server, client: session, socket } = await startPair(t, { client: { maxPendingAcks: 2 } });
  const answers: string[] = [];
  for (const name of ["first", "second", "third"])
    socket.emit("ask", name, (answer: string) => answers.push(`${name}: ${answer}`));
  const ids = [];
  for (let n = 0; n < 3; n++) ids.push(/^42(\d+)/.exec(String(await session.next()))?.[1]);
  for (const id of ids) session.send(`43${id}["${id}"]`);
  await waitFor(() => answers.length === 2);
  assert.deepEqual(answers, [`second: ${ids[1]}`, `third: ${ids[2]}`]);
  assert.deepEqual(await refusals(server), { too_many_acks: 1 });
});

test("a broadcast that asks for acks counts as well, and one with a timeout is told of those that were given up", async (t) => {
  const { server, socket } = await startPair(t, { client: { maxPendingAcks: 5 } });
  const failed = server.io.timeout(300).emitWithAck("ask");
  for (let n = 0; n < 100; n++) server.io.timeout(300).emit("ask", () => undefined);
  assert.ok((socket as unknown as { acks: Map<number, unknown> }).acks.size <= 5);
  await assert.rejects(failed, /timed out/);
});

test("a POST of protocol 3 is bounded by packets as well", async (t) => {
  const server = await startGatedServer(t, { allowEIO3: true }, { client: { maxPacketsPerPost: 3 } });
  const ended = new Promise((resolve) =>
    server.engine.once("connection", (session: { once: Socket["once"] }) =>
      session.once("close" as never, resolve as never),
    ),
  );
  const target = `http://127.0.0.1:${server.port}/socket.io/?EIO=3&transport=polling`;
  const { sid } = JSON.parse(/\{.*?\}/.exec(await (await fetch(target)).text())?.[0] ?? "") as { sid: string };
  const post = (packets: number): Promise<Response> =>
    fetch(`${target}&sid=${sid}`, { method: "POST", body: "1:2".repeat(packets) });
  assert.equal((await post(3)).status, 200);
  assert.deepEqual(await refusals(server), {});
  await post(500).catch(() => undefined);
  assert.equal(await within(ended, 10_000, "the end"), "parse error");
  assert.deepEqual(await refusals(server), { too_many_packets: 1 });
});

/** What has ended processes, or would. */
const HOSTILE = [
  `42["relay",${"[".repeat(200_000)}${"]".repeat(200_000)}]`,
  `42["relay",${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}]`,
  '42["error"]',
  '42["__proto__"]',
  '42["relay",{"toJSON":1,"__proto__":{"a":1},"constructor":{"prototype":1}}]',
  '4511-["relay"]',
  '451-["relay",{"_placeholder":true,"num":-1}]',
  '451-["relay",{"_placeholder":true,"num":"__proto__"}]',
  "4399999999999999999999[]",
  '43-1["x"]',
  "40/" + "n".repeat(100_000),
  '40{"pid":{},"offset":[]}',
  '44{"message":"x"}',
  "4x",
  "b4xx",
  "",
];

test("none of what hostile clients send ends a worker whose app sends on what it gets", async (t) => {
  const node = await startNode({ app: "test/bounds/relay-app.mjs", workers: 1 }, t);
  const [worker] = await node.workers();
  for (const packet of HOSTILE) {
    const session = await WebSocketSession.open(t, { port: node.port });
    await session.joinMain();
    session.send(packet);
    session.send(Buffer.from([1]));
    await waitFor(() => session.closed);
    const polling = await PollingSession.open(t, { port: node.port });
    await polling.joinMain();
    await polling.post(packet, "4x").catch(() => undefined);
  }
  const rooms = await WebSocketSession.open(t, { port: node.port });
  await rooms.joinMain();
  for (let n = 0; n < 1_500; n++) rooms.send(`42["join","${n}"]`);
  await waitFor(async () => (await node.metric("limpet_client_refusals_total", { reason: "too_many_rooms" })) === 500);
  assert.equal((await node.workers())[0]?.pid, worker?.pid, "the worker is the one it was");
});
