/** What only the transport that writes once a turn promises. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket as TcpSocket } from "node:net";
import test from "node:test";
import { WebSocket } from "ws";
import type { TurnTransport } from "../../src/worker/transport.js";
import { WebSocketSession } from "../support/engine-client.js";
import { countKernelWrites, onKernelWrite } from "../support/kernel-writes.js";
import { waitFor, within } from "../support/wait.js";
import { startGatedServer } from "../worker/gated-server.js";
import { beneath, startPair } from "./on-both.js";

test("texts, binary, broadcasts and an ack of one turn are one write", async (t) => {
  const { client, socket, server } = await startPair(t);
  socket.on("ask", (reply: () => void) => {
    socket.emit("one");
    socket.emit("two", Buffer.from("bytes"));
    server.io.emit("three");
    reply();
  });
  const writes = countKernelWrites(beneath(socket).tcp);
  client.send('420["ask"]');
  for (let n = 0; n < 5; n++) await client.next();
  assert.equal(writes(), 1);
});

test("what one turn has for 100 clients is one write for each of them", async (t) => {
  const server = await startGatedServer(t);
  const clients = await Promise.all(Array.from({ length: 100 }, () => WebSocketSession.open(t, { port: server.port })));
  for (const client of clients) await client.joinMain();
  const sockets = [...server.io.of("/").sockets.values()];
  const writes = sockets.map((socket) => countKernelWrites(beneath(socket).tcp));
  for (let n = 0; n < 10; n++) server.io.emit("n", n);
  for (const client of clients) for (let n = 0; n < 10; n++) assert.equal(await client.next(), `42["n",${n}]`);
  assert.deepEqual(new Set(writes.map((count) => count())), new Set([1]));
});

test("what the turn published leaves for the hub before anything is written to a client, once", async (t) => {
  const { client, socket, server } = await startPair(t);
  const order: string[] = [];
  onKernelWrite(beneath(socket).tcp, () => order.push("write"));
  server.hub.onFlush = () => order.push("flush");
  socket.on("ask", (reply: () => void) => {
    server.io.emit("one");
    reply();
    server.io.emit("two");
    reply();
  });
  client.send('420["ask"]');
  for (let n = 0; n < 3; n++) await client.next();
  assert.deepEqual(order, ["flush", "write"]);
});

test("the last words before a close leave after what was published", async (t) => {
  const { client, socket, server } = await startPair(t);
  const order: string[] = [];
  server.hub.onFlush = () => order.push("flush");
  onKernelWrite(beneath(socket).tcp, () => order.push("write"));
  socket.emit("last");
  socket.disconnect(true);
  assert.equal(await client.next(), '42["last"]');
  assert.equal(await client.next(), "41");
  assert.deepEqual(order.slice(0, 2), ["flush", "write"]);
});

test("volatile messages behind others in one turn reach a client that reads", async (t) => {
  const { client, socket } = await startPair(t);
  socket.emit("plain");
  for (let n = 0; n < 5; n++) socket.volatile.emit("volatile", n);
  assert.equal(await client.next(), '42["plain"]');
  for (let n = 0; n < 5; n++) assert.equal(await client.next(), `42["volatile",${n}]`);
});

test("a flood of one turn is written before the turn ends, so it is bounded by what the client reads", async (t) => {
  const { client, socket } = await startPair(t);
  const { transport } = socket.conn;
  const { tcp } = beneath(socket);
  (client.socket as unknown as { _socket: TcpSocket })._socket.pause();
  const text = "x".repeat(10_000);
  let sent = 0;
  // 200 MB, were all of it taken.
  while (transport.writable && sent < 20_000) socket.emit("n", sent++, text);
  assert.equal(transport.writable, false);
  assert.ok(tcp.writableLength > 0);
  const { bufferedBytes } = transport as TurnTransport;
  assert.ok(bufferedBytes > 0 && bufferedBytes < 1_000_000, `${bufferedBytes} bytes wait`);
  const held = bufferedBytes;
  for (let n = 0; n < 100; n++) socket.emit("n", sent++, text);
  assert.equal((transport as TurnTransport).bufferedBytes, held);
  client.socket.resume();
  (client.socket as unknown as { _socket: TcpSocket })._socket.resume();
  for (let n = 0; n < sent; n++) assert.match(String(await client.next()), new RegExp(`^42\\["n",${n},`));
  assert.equal((transport as TurnTransport).bufferedBytes, 0);
});

test("bytes that the app changes after it sent them arrive as they were", async (t) => {
  const { client, socket } = await startPair(t);
  const bytes = Buffer.from("before");
  socket.emit("bytes", bytes);
  bytes.write("behind");
  await client.next();
  assert.equal(String(await client.next()), "before");
});

test("with a window, what several turns have for a client is one write", async (t) => {
  const { client, socket } = await startPair(t, { batchMs: 100 });
  const writes = countKernelWrites(beneath(socket).tcp);
  for (let n = 0; n < 10; n++) {
    socket.emit("n", n);
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let n = 0; n < 10; n++) assert.equal(await client.next(), `42["n",${n}]`);
  assert.equal(writes(), 1);
  socket.emit("last");
  socket.disconnect(true);
  assert.equal(await client.next(), '42["last"]');
  assert.equal(await client.next(), "41");
  await waitFor(() => client.closed);
});

test("of messages over compression those that ask for none are left as they are", async (t) => {
  const server = await startGatedServer(t, { perMessageDeflate: true });
  const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => webSocket.terminate());
  let received = 0;
  webSocket.on("message", () => received++);
  await once(webSocket, "open");
  webSocket.send("40");
  await waitFor(() => received === 2);
  const tcp = (webSocket as unknown as { _socket: TcpSocket })._socket;
  const [socket] = server.io.of("/").sockets.values();
  assert.ok(socket !== undefined);
  const sizes: number[] = [];
  for (const compress of [true, false, true]) {
    const [before, count] = [tcp.bytesRead, received];
    socket.compress(compress).emit("m", "x".repeat(50_000));
    await waitFor(() => received > count);
    sizes.push(tcp.bytesRead - before);
  }
  const [first = 0, second = 0, third = 0] = sizes;
  assert.ok(first < 1_000 && second > 50_000 && third < 1_000, sizes.join(", "));
});

test("a client that closes while something waits for it loses it, and its session ends for its own reason", async (t) => {
  const { client, socket } = await startPair(t, { batchMs: 50 });
  const ended = once(socket, "disconnect");
  const closed = once(client.socket, "close");
  client.socket.close();
  socket.emit("late");
  await within(closed, 10_000, "the close");
  const [reason] = (await within(ended, 10_000, "the end of the session")) as [string];
  assert.match(reason, /^transport (close|error)$/);
});

test("a broadcast goes past Engine.IO's session, unless somebody listens to what that announces; it counts as sent either way", async (t) => {
  const { client, socket, server } = await startPair(t);
  const { conn } = socket;
  let packets = 0;
  const seen = t.mock.method(conn as unknown as { sendPacket: (...args: unknown[]) => void }, "sendPacket");
  const { tally } = server.metrics;
  const broadcast = async (text: string): Promise<number> => {
    const before = { calls: seen.mock.callCount(), messages: tally.messagesSent, bytes: tally.bytesSent };
    server.io.emit("m", text);
    const packet = `2["m",${JSON.stringify(text)}]`;
    assert.equal(await client.next(), `4${packet}`);
    assert.equal(tally.messagesSent - before.messages, 1);
    assert.equal(tally.bytesSent - before.bytes, Buffer.byteLength(packet));
    return seen.mock.callCount() - before.calls;
  };
  for (const text of ["short", "ü".repeat(100), "x".repeat(70_000)]) assert.equal(await broadcast(text), 0);

  const announcers = [
    [conn, "packetCreate"],
    [conn, "flush"],
    [conn, "drain"],
    [server.engine, "flush"],
    [server.engine, "drain"],
  ] as const;
  for (const [announcer, event] of announcers) {
    const listener = (): void => void packets++;
    announcer.on(event, listener);
    packets = 0;
    assert.equal(await broadcast(event), 1);
    assert.ok(packets > 0, `${event} is announced`);
    announcer.off(event, listener);
    assert.equal(await broadcast(event), 0);
  }
});

test("a broadcast waits behind what the join gate holds", async (t) => {
  const { client, socket, server } = await startPair(t);
  server.hub.slow = true;
  void socket.join("room");
  await waitFor(() => server.hub.unconfirmed.length > 0);
  socket.emit("joined");
  server.io.emit("n", 1);
  server.io.emit("n", 2);
  await new Promise((resolve) => setImmediate(resolve));
  server.hub.slow = false;
  server.hub.confirm();
  server.io.emit("n", 3);
  assert.equal(await client.next(), '42["joined"]');
  for (const n of [1, 2, 3]) assert.equal(await client.next(), `42["n",${n}]`);
});
