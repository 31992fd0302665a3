/** Packets over WebSocket: whole, in order, and with honest back-pressure, whichever transport writes them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket as TcpSocket } from "node:net";
import test from "node:test";
import { WebSocket } from "ws";
import { heldByWebSocket } from "../../src/worker/backlog.js";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { waitFor, within } from "../support/wait.js";
import { startGatedServer } from "../worker/gated-server.js";
import { onBoth, startPair } from "./on-both.js";

const LARGE = "x".repeat(100_000);
/** For tests that let much wait. */
const PATIENT = { maxBufferedBytes: 100_000_000 };

onBoth("texts, binary and acks of one turn arrive in the order in which they were sent", async (t, writing) => {
  const { client, socket, server } = await startPair(t, writing);
  socket.on("ask", (reply: (answer: string) => void) => {
    socket.emit("one", 1);
    socket.emit("two", Buffer.from([1, 2, 3]));
    server.io.emit("three", "grüße 🐚");
    reply("four");
    socket.emit("five", new Float64Array([0.5]), new Uint8Array([9]).buffer);
    socket.emit("six", LARGE);
    server.io.emit("seven");
  });
  client.send('420["ask"]');
  assert.equal(await client.next(), '42["one",1]');
  assert.equal(await client.next(), '451-["two",{"_placeholder":true,"num":0}]');
  assert.deepEqual(await client.next(), Buffer.from([1, 2, 3]));
  assert.equal(await client.next(), '42["three","grüße 🐚"]');
  assert.equal(await client.next(), '430["four"]');
  assert.equal(await client.next(), '452-["five",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
  assert.deepEqual(await client.next(), Buffer.from(new Float64Array([0.5]).buffer));
  assert.deepEqual(await client.next(), Buffer.from([9]));
  assert.equal(await client.next(), `42["six","${LARGE}"]`);
  assert.equal(await client.next(), '42["seven"]');
});

onBoth("frames of every length are whole: 0, 125, 126, 65,535, 65,536 bytes and more", async (t, writing) => {
  const { client, socket } = await startPair(t, writing);
  const around = '42["m",""]'.length;
  for (const length of [125, 126, 127, 65_535, 65_536, 200_000]) {
    const text = "y".repeat(length - around);
    socket.emit("m", text);
    assert.equal(await client.next(), `42["m","${text}"]`);
    socket.emit("b", Buffer.alloc(length, 7));
    await client.next();
    assert.deepEqual(await client.next(), Buffer.alloc(length, 7));
  }
  socket.emit("b", Buffer.alloc(0));
  await client.next();
  assert.deepEqual(await client.next(), Buffer.alloc(0));
});

onBoth("10,000 messages of both kinds, in turns of every size, arrive in order", async (t, writing) => {
  const { client, socket, server } = await startPair(t, writing);
  const total = 10_000;
  let sent = 0;
  const turn = (): void => {
    for (let left = (sent * 7) % 50; left >= 0 && sent < total; left--, sent++) {
      if (sent % 3 === 0) server.io.emit("n", sent);
      else socket.emit("n", sent);
    }
    if (sent < total) setImmediate(turn);
  };
  turn();
  for (let n = 0; n < total; n++) assert.equal(await client.next(), `42["n",${n}]`);
});

onBoth("what is said before a disconnect arrives before the close", async (t, writing) => {
  const { client, socket } = await startPair(t, writing);
  for (let n = 0; n < 200; n++) socket.emit("n", n, LARGE.slice(0, 1_000));
  socket.disconnect(true);
  for (let n = 0; n < 200; n++) assert.match(String(await client.next()), new RegExp(`^42\\["n",${n},`));
  assert.equal(await client.next(), "41");
  await waitFor(() => client.closed);
});

/** Stops reading at the client, and writes until the kernel takes no more. @returns how many messages were sent */
async function fill(client: WebSocketSession, send: (n: number) => void, isFull: () => boolean): Promise<number> {
  tcpOf(client).pause();
  let sent = 0;
  while (!isFull()) {
    for (let n = 0; n < 20; n++) send(sent++);
    // Several turns, so that what can leave has left.
    for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(sent < 5_000, "the kernel takes whatever is written");
  }
  return sent;
}

const tcpOf = ({ socket }: WebSocketSession): TcpSocket => (socket as unknown as { _socket: TcpSocket })._socket;

onBoth(
  "to a client that does not read, volatile messages are dropped and all others kept, in order",
  async (t, writing) => {
    const { client, socket } = await startPair(t, { ...writing, client: PATIENT });
    const { transport } = socket.conn;
    const sent = await fill(
      client,
      (n) => socket.emit("n", n, LARGE),
      () => !transport.writable && heldByWebSocket(transport) > 0,
    );
    const held = heldByWebSocket(transport);
    for (let n = 0; n < 50; n++) socket.volatile.emit("volatile", n);
    socket.volatile.broadcast.emit("volatile");
    for (let n = sent; n < sent + 50; n++) socket.emit("n", n, LARGE);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(heldByWebSocket(transport), held, "what follows waits in Engine.IO, not in the socket");
    tcpOf(client).resume();
    for (let n = 0; n < sent + 50; n++) {
      const packet = String(await client.next());
      assert.equal(packet.slice(0, packet.indexOf(",", 8)), `42["n",${n}`);
    }
    await waitFor(() => transport.writable);
    socket.volatile.emit("volatile", "again");
    assert.equal(await client.next(), '42["volatile","again"]');
  },
);

onBoth(
  "a session whose client does not read closes in order: what was sent arrives, and then the close",
  async (t, writing) => {
    const { client, socket } = await startPair(t, { ...writing, client: PATIENT });
    const { transport } = socket.conn;
    const sent = await fill(
      client,
      (n) => socket.emit("n", n, LARGE),
      () => !transport.writable,
    );
    socket.disconnect(true);
    tcpOf(client).resume();
    for (let n = 0; n < sent; n++) assert.match(String(await client.next()), new RegExp(`^42\\["n",${n},`));
    assert.equal(await client.next(), "41");
    await waitFor(() => client.closed);
  },
);

onBoth(
  "Engine.IO's callbacks of sent packets are called once each, in order, and its events come for each flush",
  async (t, writing) => {
    const { client, socket } = await startPair(t, writing);
    const { conn } = socket;
    const called: number[] = [];
    let flushes = 0;
    let drains = 0;
    conn.on("flush", () => flushes++);
    conn.on("drain", () => drains++);
    for (let n = 0; n < 30; n++) conn.send(`2["n",${n}]`, {}, () => called.push(n));
    for (let n = 0; n < 30; n++) assert.equal(await client.next(), `42["n",${n}]`);
    await waitFor(() => called.length >= 30);
    assert.deepEqual(
      called,
      Array.from({ length: 30 }, (_, n) => n),
    );
    assert.ok(flushes > 0 && flushes === drains, `${flushes} and ${drains}`);
  },
);

onBoth("a client that goes while the server writes ends its session and nothing else", async (t, writing) => {
  const { client, socket, server } = await startPair(t, writing);
  const other = await WebSocketSession.open(t, { port: server.port });
  await other.joinMain();
  const closed = once(socket, "disconnect");
  tcpOf(client).resetAndDestroy();
  const timer = setInterval(() => server.io.emit("n", LARGE), 1);
  t.after(() => clearInterval(timer));
  const [reason] = (await within(closed, 10_000, "the end of the session")) as [string];
  clearInterval(timer);
  assert.match(reason, /^transport (close|error)$/);
  server.io.emit("last");
  for (;;) if ((await other.next()) === '42["last"]') break;
  assert.equal(server.engine.clientsCount, 1);
});

onBoth("a session that upgrades while messages are sent gets each of them once, in order", async (t, writing) => {
  const server = await startGatedServer(t, {}, writing);
  const polling = await PollingSession.open(t, { port: server.port });
  await polling.joinMain();
  let sent = 0;
  const timer = setInterval(() => {
    for (let n = 0; n < 3; n++) server.io.emit("n", sent++);
  }, 1);
  t.after(() => clearInterval(timer));
  const early = await polling.poll();
  const { session, rest } = await polling.upgrade();
  const enough = sent + 300;
  const got = [...early, ...rest].filter((packet) => packet.startsWith("42"));
  while (got.length < enough) got.push(String(await session.next()));
  assert.deepEqual(
    got,
    Array.from({ length: got.length }, (_, n) => `42["n",${n}]`),
  );
});

onBoth("a client of Engine.IO 3 gets texts and binary as that protocol has them", async (t, writing) => {
  const server = await startGatedServer(t, { allowEIO3: true }, writing);
  server.io.on("connection", (socket) => {
    socket.on("ask", (reply: (value: string) => void) => {
      socket.emit("bytes", Buffer.from([1, 2]));
      server.io.emit("text", "ü");
      reply("done");
    });
  });
  for (const [query, bytes] of [
    ["EIO=3", Buffer.from([4, 1, 2])],
    ["EIO=3&b64=1", "b4AQI="],
  ] as const) {
    const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?${query}&transport=websocket`, {
      perMessageDeflate: false,
    });
    t.after(() => webSocket.terminate());
    const packets: (string | Buffer)[] = [];
    webSocket.on("message", (data: Buffer, isBinary) => packets.push(isBinary ? data : data.toString()));
    await waitFor(() => packets.includes("40"));
    packets.length = 0;
    webSocket.send('420["ask"]');
    await waitFor(() => packets.includes('430["done"]'));
    assert.deepEqual(packets, ['451-["bytes",{"_placeholder":true,"num":0}]', bytes, '42["text","ü"]', '430["done"]']);
    webSocket.send("2");
    await waitFor(() => packets.at(-1) === "3");
    webSocket.terminate();
  }
});

onBoth(
  "with compression agreed on, messages are compressed, whole and in order, broadcasts as well",
  async (t, writing) => {
    const server = await startGatedServer(t, { perMessageDeflate: true }, { ...writing, client: PATIENT });
    const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`);
    t.after(() => webSocket.terminate());
    const packets: (string | Buffer)[] = [];
    webSocket.on("message", (data: Buffer, isBinary) => packets.push(isBinary ? data : data.toString()));
    await once(webSocket, "open");
    assert.equal(webSocket.extensions, "permessage-deflate");
    webSocket.send("40");
    await waitFor(() => packets.some((packet) => packet.toString().startsWith("40")));
    packets.length = 0;
    const tcp = (webSocket as unknown as { _socket: TcpSocket })._socket;
    const before = tcp.bytesRead;
    const [socket] = server.io.of("/").sockets.values();
    const expected: (string | Buffer)[] = [];
    for (let n = 0; n < 20; n++) {
      socket?.emit("text", n, LARGE);
      socket?.emit("bytes", Buffer.alloc(50_000, n));
      server.io.emit("all", n, LARGE);
      expected.push(`42["text",${n},"${LARGE}"]`, '451-["bytes",{"_placeholder":true,"num":0}]');
      expected.push(Buffer.alloc(50_000, n), `42["all",${n},"${LARGE}"]`);
    }
    await waitFor(() => packets.length >= expected.length);
    assert.deepEqual(packets, expected);
    assert.ok(tcp.bytesRead - before < LARGE.length, `${tcp.bytesRead - before} bytes for 5 MB of one letter`);
    socket?.disconnect(true);
    await within(once(webSocket, "close"), 10_000, "the close");
    assert.equal(packets.at(-1), "41");
  },
);

test("a client without compression gets what a broadcast made for it beside one with compression", async (t) => {
  const server = await startGatedServer(t, { perMessageDeflate: true });
  const plain = await WebSocketSession.open(t, { port: server.port });
  await plain.joinMain();
  const deflating = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => deflating.terminate());
  const packets: string[] = [];
  deflating.on("message", (data: Buffer) => packets.push(data.toString()));
  await once(deflating, "open");
  deflating.send("40");
  await waitFor(() => packets.length === 2);
  server.io.emit("m", LARGE);
  assert.equal(await plain.next(), `42["m","${LARGE}"]`);
  await waitFor(() => packets.at(-1) === `42["m","${LARGE}"]`);
});
