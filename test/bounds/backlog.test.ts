/** What may wait for a client: counted whole, whichever way it is written to, and the end of those for whom there is more. */
import assert from "node:assert/strict";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import type { Socket } from "socket.io";
import { io as connect } from "socket.io-client";
import { WebSocket } from "ws";
import type { ClientInternals } from "../../src/worker/internals.js";
import { PollingSession } from "../support/engine-client.js";
import { waitFor, within } from "../support/wait.js";
import { beneath, onBoth, startPair } from "../transport/on-both.js";
import { startGatedServer, type GatedServer } from "../worker/gated-server.js";

const LIMIT = 1_000_000;
const client = { maxBufferedBytes: LIMIT, maxBufferedPackets: 100 };
const text = (bytes: number): string => "x".repeat(bytes);

const reasonOf = (socket: Socket): Promise<unknown> =>
  within(once(socket, "disconnect"), 10_000, "the end").then(([reason]) => reason as unknown);

/** A client between two polls: whatever it is sent waits. */
async function betweenPolls(
  t: TestContext,
  limits: object = client,
): Promise<{ server: GatedServer; socket: Socket; session: PollingSession }> {
  const server = await startGatedServer(t, {}, { client: { ...limits } });
  const session = await PollingSession.open(t, { port: server.port });
  const socket = server.io.of("/").sockets.get(await session.joinMain());
  assert.ok(socket !== undefined);
  await waitFor(() => !socket.conn.transport.writable);
  return { server, socket, session };
}

const cutOffs = async ({ metrics }: GatedServer): Promise<Record<string, number>> => {
  const metric = (await metrics.snapshot()).find(({ name }) => name === "limpet_slow_consumers_total");
  const values = (metric as unknown as { values: { value: number; labels: { cause: string } }[] }).values;
  return Object.fromEntries(values.filter(({ value }) => value > 0).map(({ value, labels }) => [labels.cause, value]));
};

onBoth("a client that does not read is cut off, though one turn of the event loop sent it all", async (t, writing) => {
  const { server, client: session, socket } = await startPair(t, { ...writing, client });
  (session.socket as unknown as { _socket: { pause(): void } })._socket.pause();
  const { tcp } = beneath(socket);
  const ended = reasonOf(socket);
  let sent = 0;
  for (; socket.conn.readyState === "open"; sent++) {
    assert.ok(sent < 5_000, "it is never cut off");
    socket.emit("n", text(10_000));
  }
  assert.equal(socket.connected, true, "the app hears of it when its code has run to its end");
  assert.equal(tcp.destroyed, true, "what waited is gone at once");
  for (let n = 0; n < 100; n++) socket.emit("n", text(10_000));
  assert.ok(socket.conn["writeBuffer"].length <= 1, "nothing more is kept");
  assert.equal(await ended, "slow consumer");
  assert.deepEqual(await cutOffs(server), { bytes: 1 });
  assert.equal(server.engine.clientsCount, 0);
});

onBoth(
  "a message longer than the limit reaches a client that reads, and one more may wait behind it",
  async (t, writing) => {
    const { client: session, socket } = await startPair(t, { ...writing, client });
    const large = text(20 * LIMIT);
    socket.emit("large", large);
    socket.emit("after", 1);
    socket.emit("large", large);
    for (const expected of [`42["large","${large}"]`, '42["after",1]', `42["large","${large}"]`])
      assert.ok((await session.next()) === expected);
  },
);

test("with compression what waits to be compressed counts as well", async (t) => {
  const server = await startGatedServer(t, { perMessageDeflate: true }, { client });
  const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => webSocket.terminate());
  await once(webSocket, "open");
  assert.equal(webSocket.extensions, "permessage-deflate");
  webSocket.send("40");
  await waitFor(() => server.io.of("/").sockets.size === 1);
  const [socket] = server.io.of("/").sockets.values();
  assert.ok(socket !== undefined);
  const ended = reasonOf(socket);
  for (let n = 0; n < 30; n++) socket.emit("n", text(100_000));
  assert.equal(await ended, "slow consumer");
});

test("between two polls so many bytes may wait, and so many packets; one beyond ends the session, and the next poll is refused", async (t) => {
  for (const [bytes, fit, cause] of [
    [99_990, 10, "bytes"],
    [1, 100, "packets"],
  ] as const) {
    const { server, socket, session } = await betweenPolls(t);
    for (let n = 0; n < fit; n++) socket.emit("n", text(bytes - '2["n",""]'.length > 0 ? bytes - 9 : bytes));
    assert.equal(socket.conn.readyState, "open");
    const ended = reasonOf(socket);
    socket.emit("n", text(200));
    assert.equal(await ended, "slow consumer");
    assert.deepEqual(await cutOffs(server), { [cause]: 1 });
    await assert.rejects(session.poll(), { status: 400, code: 1 });
  }
});

test("what fits is delivered, and the count begins anew with each poll", async (t) => {
  const { socket, session } = await betweenPolls(t);
  for (let round = 0; round < 5; round++) {
    for (let n = 0; n < 90; n++) socket.emit("n", text(10_000));
    const packets = await session.poll();
    assert.equal(packets.filter((packet) => packet.startsWith("42")).length, 90);
    assert.equal(socket.conn.readyState, "open");
  }
});

test("a poll is answered with a message longer than the limit", async (t) => {
  const { socket, session } = await betweenPolls(t);
  socket.emit("large", text(5 * LIMIT));
  socket.emit("after");
  const packets = await session.poll();
  assert.deepEqual(
    packets.map((packet) => packet.length),
    [5 * LIMIT + '42["large",""]'.length, '42["after"]'.length],
  );
});

test("what is held until the hub knows of a join counts, and is cut off as well", async (t) => {
  const { server, socket } = await startPair(t, { client });
  server.hub.slow = true;
  void socket.join("room");
  const ended = reasonOf(socket);
  for (let n = 0; n < 150; n++) socket.emit("n", text(100));
  assert.equal(await ended, "slow consumer");
  assert.deepEqual(await cutOffs(server), { packets: 1 });
});

test("volatile messages are dropped between two polls, or wait up to a quarter of a limit where they may", async (t) => {
  for (const [slowPolicy, kept] of [
    ["disconnect", 0],
    ["drop-volatile", 25],
  ] as const) {
    const { server, socket, session } = await betweenPolls(t, { ...client, slowPolicy });
    for (let n = 0; n < 1_000; n++) {
      if (n % 2 === 0) socket.volatile.emit("v", n);
      else server.io.volatile.emit("v", n);
    }
    assert.equal(socket.conn.readyState, "open", "volatile messages cut nobody off");
    assert.equal(server.metrics.tally.volatileDropped, 1_000 - kept);
    socket.emit("last");
    const packets = await session.poll();
    const expected = Array.from({ length: kept }, (_, n) => `42["v",${n}]`);
    assert.deepEqual(packets, [...expected, '42["last"]']);
  }
});

test("beyond the limits a client is cut off with either policy", async (t) => {
  const { socket } = await betweenPolls(t, { ...client, slowPolicy: "drop-volatile" });
  const ended = reasonOf(socket);
  for (let n = 0; n < 150; n++) socket.emit("n", n);
  assert.equal(await ended, "slow consumer");
});

for (const transport of ["websocket", "polling"] as const) {
  test(`a stock client that was cut off comes back by itself, as a new session (${transport})`, async (t) => {
    const server = await startGatedServer(t, {}, { client });
    const stock = connect(`http://127.0.0.1:${server.port}`, {
      transports: [transport],
      reconnectionDelay: 50,
      forceNew: true,
    });
    t.after(() => void stock.disconnect());
    await waitFor(() => stock.connected && server.io.of("/").sockets.size === 1);
    const [socket] = server.io.of("/").sockets.values();
    assert.ok(socket !== undefined);
    const ended = reasonOf(socket);
    const closed = new Promise<string>((resolve) => stock.once("disconnect", resolve));
    // One turn of the event loop, in which it cannot read.
    for (let n = 0; n < 1_000; n++) socket.emit("n", text(50_000));
    assert.equal(await ended, "slow consumer");
    assert.match(await within(closed, 10_000, "the client to notice"), /^transport (close|error)$/);
    await waitFor(() => stock.connected && server.io.of("/").sockets.size === 1);
    assert.equal(server.io.of("/").sockets.has(socket.id), false);
    const answered = new Promise<void>((resolve) => stock.once("again", resolve));
    server.io.emit("again");
    await within(answered, 10_000, "a message after it");
  });
}

test("a room's messages reach its other members while one of them is cut off in the middle of a broadcast", async (t) => {
  const { server, client: reading } = await startPair(t, { client });
  const polling = await PollingSession.open(t, { port: server.port });
  const slow = server.io.of("/").sockets.get(await polling.joinMain());
  const other = await PollingSession.open(t, { port: server.port });
  const prompt = server.io.of("/").sockets.get(await other.joinMain());
  const next = other.poll();
  assert.ok(slow !== undefined && prompt !== undefined);
  await waitFor(() => prompt.conn.transport.writable);
  await waitFor(() => !slow.conn.transport.writable);
  for (let n = 0; n < 101; n++) server.io.emit("n", n);
  for (let n = 0; n < 101; n++) assert.equal(await reading.next(), `42["n",${n}]`);
  assert.equal((await next)[0], '42["n",0]');
  await waitFor(() => !server.io.of("/").sockets.has(slow.id));
});

test("Socket.IO's Client is what the bounds look into", async (t) => {
  const { socket } = await startPair(t);
  const { client: internal } = socket as unknown as { client: ClientInternals };
  assert.equal(internal.id, socket.conn["id"]);
});

test("what has a bound of its own does not count, and what follows it does", async (t) => {
  const { server, socket, session } = await betweenPolls(t);
  server.bounds.backlog.uncounted(() => {
    for (let n = 0; n < 150; n++) socket.emit("missed", n);
  });
  for (let n = 0; n < 100; n++) socket.emit("n", n);
  assert.equal((await session.poll()).length, 250);
  assert.equal(socket.conn.readyState, "open");
  const ended = reasonOf(socket);
  for (let n = 0; n < 101; n++) socket.emit("n", n);
  assert.equal(await ended, "slow consumer");
});
