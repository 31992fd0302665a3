/** What is written after a join leaves only when the hub knows of the join; shown by a hub that takes its time. */
import assert from "node:assert/strict";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import type { Socket } from "socket.io";
import { createSid, parseSid, sidPrefix } from "../../src/routing/address.js";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { waitFor, within } from "../support/wait.js";
import { startGatedServer, WRITE_PATHS, type GatedServer, type WritePath } from "./gated-server.js";

/** Everything a client can ask for in these tests. */
function serve(socket: Socket): void {
  socket.on("join", (room: string, reply: (room: string) => void) => {
    void socket.join(room);
    reply(room);
  });
  socket.on("echo", (value: unknown, reply: (value: unknown) => void) => reply(value));
  socket.on("join and leave", (room: string, reply: (room: string) => void) => {
    void socket.join(room);
    reply(room);
    socket.emit("last");
    socket.disconnect(true);
  });
  socket.on("volatile", (reply: () => void) => {
    void socket.join("some room");
    reply();
    for (let n = 0; n < 10; n++) socket.volatile.emit("v", n);
    socket.volatile.broadcast.emit("v");
  });
}

async function start(t: TestContext, writePath: WritePath): Promise<GatedServer> {
  const server = await startGatedServer(t, {}, { writePath });
  server.io.on("connection", serve);
  return server;
}

/** The gate stands before both transports. */
function onBoth(name: string, check: (t: TestContext, writePath: WritePath) => Promise<void>): void {
  for (const writePath of WRITE_PATHS) test(`${name} (${writePath})`, (t) => check(t, writePath));
}

/** Whatever was written to this connection before has arrived: ws answers this below Engine.IO. */
async function flushed({ socket }: WebSocketSession): Promise<void> {
  const pong = once(socket, "pong");
  socket.ping();
  await within(pong, 5_000, "the pong of the WebSocket");
}

async function openWebSocket(t: TestContext, { port }: GatedServer): Promise<WebSocketSession> {
  const session = await WebSocketSession.open(t, { port });
  await session.joinMain();
  return session;
}

async function openPolling(t: TestContext, { port }: GatedServer): Promise<PollingSession> {
  const session = await PollingSession.open(t, { port });
  await session.joinMain();
  return session;
}

onBoth("the first connect is confirmed to its client only when the hub knows of members here", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await WebSocketSession.open(t, { port: server.port });
  server.hub.slow = true;
  const packets: unknown[] = [];
  session.socket.on("message", (data) => packets.push(data));
  session.send("40");
  await waitFor(() => server.hub.unconfirmed.length > 0);
  await flushed(session);
  assert.deepEqual(packets, []);
  server.hub.confirm();
  assert.match(String(await session.next()), /^40\{"sid"/);
});

onBoth("a later connect waits for nobody: who knows the socket's id knows its worker", async (t, writePath) => {
  const server = await start(t, writePath);
  await openWebSocket(t, server);
  server.hub.slow = true;
  await openWebSocket(t, server);
  const [first, second] = [...server.io.of("/").sockets.keys()];
  assert.ok(first !== undefined && second !== undefined && first !== second);
  for (const id of [first, second]) assert.deepEqual(parseSid(id), { node: 0, slot: 0 });
  assert.deepEqual(server.hub.unconfirmed, [], "the hub is told nothing of it");
});

onBoth("the room of a socket of another worker is told to the hub, and waited for", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await openWebSocket(t, server);
  server.hub.slow = true;
  const room = createSid(sidPrefix({ node: 0, slot: 1 }));
  session.send(`420["join","${room}"]`);
  await waitFor(() => server.hub.unconfirmed.length > 0);
  await flushed(session);
  server.hub.confirm();
  assert.equal(await session.next(), `430["${room}"]`);
});

onBoth("over WebSocket an ack waits for the hub, and what follows it waits behind it", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await openWebSocket(t, server);
  server.hub.slow = true;
  let arrived = 0;
  session.socket.on("message", () => arrived++);
  session.send('420["join","room"]');
  for (let n = 1; n < 50; n++) session.send(`42${n}["echo",${n}]`);
  await waitFor(() => server.hub.unconfirmed.length > 0);
  await flushed(session);
  assert.equal(arrived, 0);
  server.hub.confirm();
  assert.equal(await session.next(), '430["room"]');
  for (let n = 1; n < 50; n++) assert.equal(await session.next(), `43${n}[${n}]`);
});

onBoth("another session is not held, and neither is a room that the hub knows", async (t, writePath) => {
  const server = await start(t, writePath);
  const [session, other] = [await openWebSocket(t, server), await openWebSocket(t, server)];
  session.send('420["join","room"]');
  assert.equal(await session.next(), '430["room"]');
  server.hub.slow = true;
  session.send('421["join","other room"]');
  await waitFor(() => server.hub.unconfirmed.length > 0);
  other.send('420["echo",1]');
  assert.equal(await other.next(), "430[1]");
  other.send('421["join","room"]');
  assert.equal(await other.next(), '431["room"]');
  other.send('422["join","other room"]');
  await flushed(other);
  server.hub.confirm();
  assert.equal(await other.next(), '432["other room"]', "a room that another socket has joined on its way counts too");
  assert.equal(await session.next(), '431["other room"]');
});

onBoth("a second join holds on when only the first is known", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await openWebSocket(t, server);
  server.hub.slow = true;
  let arrived = 0;
  session.socket.on("message", () => arrived++);
  session.send('420["join","one"]');
  await waitFor(() => server.hub.unconfirmed.length === 1);
  session.send('421["join","two"]');
  await waitFor(() => server.hub.unconfirmed.length === 2);
  server.hub.confirm(1);
  await flushed(session);
  assert.equal(arrived, 0);
  server.hub.confirm(1);
  assert.equal(await session.next(), '430["one"]');
  assert.equal(await session.next(), '431["two"]');
});

onBoth("over polling the open poll is answered only when the hub knows", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await openPolling(t, server);
  server.hub.slow = true;
  let answered = false;
  const poll = session.poll().finally(() => (answered = true));
  await session.post('420["join","room"]');
  await waitFor(() => server.hub.unconfirmed.length > 0);
  await session.post('421["echo",1]');
  assert.equal(answered, false);
  server.hub.confirm();
  const packets = await poll;
  if (packets.length === 1) packets.push(...(await session.poll()));
  assert.deepEqual(packets, ['430["room"]', "431[1]"]);
});

onBoth("over polling an ack waits that was written while no poll was open", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await openPolling(t, server);
  server.hub.slow = true;
  await session.post('420["join","room"]');
  await waitFor(() => server.hub.unconfirmed.length > 0);
  let answered = false;
  const poll = session.poll().finally(() => (answered = true));
  await session.post('421["echo",1]');
  assert.equal(answered, false);
  server.hub.confirm();
  assert.deepEqual([...(await poll), ...(await session.poll())], ['430["room"]', "431[1]"]);
});

onBoth(
  "an upgrade that begins while the session is held is completed when the hub knows, and nothing is lost",
  async (t, writePath) => {
    const server = await start(t, writePath);
    const session = await openPolling(t, server);
    server.hub.slow = true;
    const poll = session.poll();
    await session.post('420["join","room"]');
    await waitFor(() => server.hub.unconfirmed.length > 0);
    const upgraded = await WebSocketSession.attach(t, { port: server.port }, session.handshake);
    upgraded.send("2probe");
    await flushed(upgraded);
    server.hub.confirm();
    assert.deepEqual(await poll, ['430["room"]']);
    assert.equal(await upgraded.next(), "3probe");
    upgraded.send("5");
    upgraded.send('421["echo",1]');
    assert.equal(await upgraded.next(), "431[1]");
  },
);

onBoth("a session that joined during its upgrade gets its ack on the new transport", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await openPolling(t, server);
  const { session: upgraded } = await session.upgrade();
  server.hub.slow = true;
  let arrived = 0;
  upgraded.socket.on("message", () => arrived++);
  upgraded.send('420["join","room"]');
  await waitFor(() => server.hub.unconfirmed.length > 0);
  await flushed(upgraded);
  assert.equal(arrived, 0);
  server.hub.confirm();
  assert.equal(await upgraded.next(), '430["room"]');
});

onBoth("what the app says before it disconnects a client leaves before the close", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await openWebSocket(t, server);
  server.hub.slow = true;
  session.send('420["join and leave","room"]');
  await waitFor(() => server.hub.unconfirmed.length > 0);
  await flushed(session);
  assert.equal(session.closed, false);
  server.hub.confirm();
  assert.equal(await session.next(), '430["room"]');
  assert.equal(await session.next(), '42["last"]');
  assert.equal(await session.next(), "41");
  await waitFor(() => session.closed);
  await waitFor(() => server.engine.clientsCount === 0);
});

onBoth("the same over polling", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await openPolling(t, server);
  server.hub.slow = true;
  const poll = session.poll();
  await session.post('420["join and leave","room"]');
  await waitFor(() => server.hub.unconfirmed.length > 0);
  server.hub.confirm();
  const packets = await poll;
  while (packets.at(-1) !== "1") packets.push(...(await session.poll()));
  const noop = "6";
  assert.deepEqual(
    packets.filter((packet) => packet !== noop),
    ['430["room"]', '42["last"]', "41", "1"],
  );
  await waitFor(() => server.engine.clientsCount === 0);
});

for (const transport of ["websocket", "polling"] as const) {
  onBoth(`a client that goes while its ${transport} session is held leaves nothing behind`, async (t, writePath) => {
    const server = await start(t, writePath);
    server.hub.slow = true;
    const polling = transport === "polling";
    const session = polling ? await PollingSession.open(t, { port: server.port }) : undefined;
    const webSocket = polling ? undefined : await WebSocketSession.open(t, { port: server.port });
    const poll = session?.poll().catch((error: unknown) => error);
    if (session === undefined) webSocket?.send("40");
    else await session.post("40");
    await waitFor(() => server.hub.unconfirmed.length > 0);
    webSocket?.socket.terminate();
    session?.pollConnection.close();
    await poll;
    await waitFor(() => server.engine.clientsCount === 0);
    server.hub.slow = false;
    server.hub.confirm();
    const next = await openWebSocket(t, server);
    next.send('420["echo",1]');
    assert.equal(await next.next(), "430[1]");
    assert.equal(server.io.of("/").sockets.size, 1);
  });
}

onBoth("a session that ends in order while held gets what was held, and its poll is answered", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await openPolling(t, server);
  server.hub.slow = true;
  const poll = session.poll();
  await session.post('420["join","room"]');
  await waitFor(() => server.hub.unconfirmed.length > 0);
  await session.post("1");
  await waitFor(() => server.engine.clientsCount === 0);
  server.hub.confirm();
  assert.deepEqual(await poll, ['430["room"]']);
});

onBoth(
  "volatile messages of a held session are dropped as for any client that cannot be written to",
  async (t, writePath) => {
    const server = await start(t, writePath);
    const session = await openWebSocket(t, server);
    server.hub.slow = true;
    session.send('420["volatile"]');
    await waitFor(() => server.hub.unconfirmed.length > 0);
    server.hub.confirm();
    assert.equal(await session.next(), "430[]");
    session.send('421["echo",1]');
    assert.equal(await session.next(), "431[1]");
    server.hub.slow = false;
    server.io.volatile.emit("v", 1);
    assert.equal(await session.next(), '42["v",1]');
  },
);

onBoth("a server that closes while sessions are held closes them", async (t, writePath) => {
  const server = await start(t, writePath);
  const session = await openWebSocket(t, server);
  server.hub.slow = true;
  session.send('420["join","room"]');
  await waitFor(() => server.hub.unconfirmed.length > 0);
  server.engine.close();
  server.hub.confirm();
  assert.equal(await session.next(), '430["room"]');
  await waitFor(() => session.closed);
});
