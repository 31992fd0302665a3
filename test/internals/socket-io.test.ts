/**
 * The private parts of our dependencies that limpet leans on. Each test names the part; when a new version changes it, the message says which file
 * must be looked at.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import { connect, createServer as createTcpServer, Socket as TcpSocketClass, type AddressInfo } from "node:net";
import cluster from "node:cluster";
import { EventEmitter, once } from "node:events";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { Server as EngineServer, transports } from "engine.io";
import { Server } from "socket.io";
import { Adapter, MessageType } from "socket.io-adapter";
import { WebSocket } from "ws";
import * as entry from "../../src/bus/entry.js";

type Private = Record<string, unknown>;
const privately = (value: unknown): Private => value as Private;
const isFunction = (value: unknown): boolean => typeof value === "function";

/** Engine.IO's own server with one session over its own WebSocket transport. */
async function openWebSocket(t: TestContext) {
  const engine = new EngineServer();
  const server = createServer();
  server.on("upgrade", (request, socket, head) => engine.handleUpgrade(request, socket, head));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    engine.close();
    server.close();
  });
  const opened = once(engine, "connection");
  const client = new WebSocket(
    `ws://127.0.0.1:${(server.address() as AddressInfo).port}/engine.io/?EIO=4&transport=websocket`,
  );
  const first = once(client, "message");
  const [session] = (await opened) as [unknown];
  await first;
  const transport = privately(privately(session)["transport"]);
  const webSocket = privately(transport["socket"]);
  return { session: privately(session), transport, webSocket, client };
}

test("socket.io: Server has _nsps, _checkNamespace(name, auth, done) and attachServe", () => {
  const io = privately(new Server());
  assert.ok(io["_nsps"] instanceof Map, "src/worker/internals.ts counts namespaces by io._nsps");
  assert.ok(isFunction(io["_checkNamespace"]), "src/worker/io-server.ts bounds namespaces in io._checkNamespace");
  assert.equal(
    (io["_checkNamespace"] as () => void).length,
    3,
    "src/worker/io-server.ts calls it with three arguments",
  );
  assert.ok(isFunction(io["attachServe"]), "src/worker/io-server.ts serves the client by io.attachServe");
});

test("socket.io: a namespace keeps sockets whose middlewares still run in _preConnectSockets", () => {
  const nsp = privately(new Server().of("/"));
  assert.ok(
    nsp["_preConnectSockets"] instanceof Map,
    "src/worker/adapter.ts finds the session of a socket that joins in a middleware",
  );
  assert.ok(nsp["sockets"] instanceof Map, "src/worker/adapter.ts finds the session of a socket that joins");
});

test("socket.io: a namespace makes a socket by _createSocket(client, auth), and looks at its id when that has returned", async () => {
  const io = new Server();
  const nsp = privately(io.of("/"));
  const created = nsp["_createSocket"] as (client: unknown, auth: unknown) => Promise<Private>;
  assert.equal(created.length, 2, "src/worker/socket-ids.ts stands in front of _createSocket");
  nsp["_createSocket"] = async (client: unknown, auth: unknown) => {
    const socket = await created.call(nsp, client, auth);
    assert.equal(socket["recovered"], false, "src/worker/socket-ids.ts leaves a recovered socket its id");
    socket["id"] = "named";
    return socket;
  };
  const written: string[] = [];
  const conn = Object.assign(new EventEmitter(), {
    ...{ id: "sid", protocol: 4, readyState: "open", transport: { writable: true }, close: () => undefined },
    write: (packet: string) => void written.push(packet),
  });
  (privately(io)["onconnection"] as (conn: unknown) => void).call(io, conn);
  const connected = once(io, "connection");
  conn.emit("data", "0");
  await connected;
  conn.emit("close", "transport close");
  assert.deepEqual(written, ['0{"sid":"named"}'], "src/worker/socket-ids.ts gives sockets their ids");
});

test("engine.io: Server answers upgrades by ws.handleUpgrade, and sends a session's first packet one microtask later", async (t) => {
  const engine = new EngineServer();
  const upgrades = privately(privately(engine)["ws"]);
  const order: string[] = [];
  const handleUpgrade = upgrades["handleUpgrade"] as (...args: unknown[]) => void;
  upgrades["handleUpgrade"] = (request: Private, ...rest: unknown[]) => {
    assert.equal((request["_query"] as Private)["EIO"], "4");
    handleUpgrade.call(upgrades, request, ...rest);
    order.push("answered");
    queueMicrotask(() => order.push("a microtask later"));
  };
  engine.on("connection", () => order.push("opened"));
  const server = createServer();
  server.on("upgrade", (request, socket, head) => engine.handleUpgrade(request, socket, head));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    engine.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}/engine.io/?EIO=4&transport=websocket`);
  await once(client, "message");
  assert.deepEqual(
    order,
    ["answered", "opened", "a microtask later"],
    "src/worker/engine.ts writes both together; in another order they leave one by one",
  );
});

test("socket.io: a BroadcastOperator calls broadcastWithAck and then serverCount in the same tick", () => {
  const calls: string[] = [];
  const adapter = {
    broadcastWithAck: () => void calls.push("broadcastWithAck"),
    serverCount: () => {
      calls.push("serverCount");
      return Promise.resolve(1);
    },
    nsp: { sockets: new Map() },
  };
  const io = new Server();
  privately(io.of("/"))["adapter"] = adapter;
  io.timeout(1).emit("event", () => undefined);
  assert.deepEqual(
    calls,
    ["broadcastWithAck", "serverCount"],
    "src/worker/adapter.ts answers the serverCount that follows broadcastWithAck with its number of parties",
  );
});

test("socket.io-adapter: Adapter tells of rooms by create-room and delete-room, once each", () => {
  const adapter = new Adapter({ name: "/", sockets: new Map(), server: new Server() });
  const events: string[] = [];
  adapter.on("create-room", (room: string) => void events.push(`+${room}`));
  adapter.on("delete-room", (room: string) => void events.push(`-${room}`));
  void adapter.addAll("s", new Set(["x"]));
  void adapter.addAll("t", new Set(["x"]));
  void adapter.delAll("s");
  assert.deepEqual(events, ["+x"]);
  void adapter.del("t", "x");
  assert.deepEqual(events, ["+x", "-x"], "src/worker/adapter.ts tells the hub of rooms by these events");
});

test("engine.io: a transport has send, doClose, sid, writable, and polling its res", () => {
  const request = { _query: { EIO: "4" }, websocket: new EventEmitter() };
  const classes = transports as unknown as Record<"polling" | "websocket", new (request: unknown) => unknown>;
  const polling = privately(new classes.polling(request));
  const webSocket = privately(new classes.websocket(request));
  for (const transport of [polling, webSocket]) {
    assert.ok(
      isFunction(transport["send"]) && isFunction(transport["doClose"]),
      "src/worker/join-gate.ts replaces both",
    );
    assert.equal(
      Object.hasOwn(transport, "send"),
      false,
      "src/worker/join-gate.ts finds the class's own send on the prototype",
    );
    assert.equal(typeof transport["writable"], "boolean", "src/worker/join-gate.ts makes Engine.IO wait by `writable`");
  }
  (polling["onPollRequest"] as (request: unknown, response: unknown) => void)(Object.assign(new EventEmitter(), {}), {
    marker: 1,
  });
  assert.deepEqual(
    polling["res"],
    { marker: 1 },
    "src/worker/join-gate.ts asks a polling transport for its open poll by `res`",
  );
});

test("engine.io: Server makes ids by generateId and transports by createTransport, with the query on the request", async () => {
  const seen: unknown[] = [];
  class Watched extends EngineServer {
    override generateId(): string {
      return "an-id-of-our-own-make";
    }
    protected override createTransport(...args: Parameters<EngineServer["createTransport"]>) {
      seen.push((args[1] as unknown as { _query: object })._query);
      return super.createTransport(...args);
    }
  }
  const engine = new Watched();
  const server = createServer((request, response) => engine.handleRequest(request as never, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const body = await (await fetch(`http://127.0.0.1:${port}/engine.io/?EIO=4&transport=polling`)).text();
  engine.close();
  server.close();
  server.closeAllConnections();
  assert.equal((JSON.parse(body.slice(1)) as { sid: string }).sid, "an-id-of-our-own-make", "src/worker/engine.ts");
  assert.deepEqual({ ...(seen[0] as object) }, { EIO: "4", transport: "polling" }, "src/worker/engine.ts reads _query");
});

test("engine.io: a session hands a transport what waits at `ready`, and calls back for each send at `drain`", async (t) => {
  const { session, transport, client } = await openWebSocket(t);
  assert.equal(transport["writable"], true);
  const sent: unknown[] = [];
  transport["send"] = (packets: unknown) => void sent.push(packets);
  let called = 0;
  const send = session["send"] as (data: string, options: object, done: () => void) => void;
  transport["writable"] = false;
  send.call(session, "a", {}, () => called++);
  assert.equal(sent.length, 0, "src/worker/transport.ts makes Engine.IO keep what follows by `writable`");
  transport["writable"] = true;
  (transport as unknown as EventEmitter).emit("ready");
  assert.equal(sent.length, 1, "src/worker/transport.ts lets Engine.IO go on by `ready`");
  send.call(session, "b", {}, () => called++);
  assert.equal(sent.length, 2, "a transport that stays writable is handed each packet at once");
  for (const calls of [1, 2]) {
    (transport as unknown as EventEmitter).emit("drain");
    assert.equal(called, calls, "src/worker/transport.ts emits one `drain` for each send");
  }
  client.terminate();
});

test("engine.io: the WebSocket transport has parser.encodePacket, supportsBinary and onError; it is handed ws's WebSocket", async (t) => {
  const { transport, client } = await openWebSocket(t);
  const encoded: unknown[] = [];
  const { encodePacket } = transport["parser"] as { readonly encodePacket: (...args: unknown[]) => void };
  encodePacket({ type: "message", data: "x" }, transport["supportsBinary"], (data: unknown) => encoded.push(data));
  assert.deepEqual(encoded, ["4x"], "src/worker/transport.ts relies on packets being encoded at once");
  assert.ok(isFunction(transport["onError"]), "src/worker/transport.ts reports failed writes by onError");
  assert.equal(
    (privately(transports.websocket.prototype)["send"] as () => void).length,
    1,
    "src/worker/transport.ts overrides send(packets)",
  );
  client.terminate();
});

test("ws: a WebSocket has its connection in _socket, to which it writes whole frames, and tells its extensions", async (t) => {
  const { webSocket, client } = await openWebSocket(t);
  assert.ok(webSocket["_socket"] instanceof TcpSocketClass, "src/worker/transport.ts writes frames to _socket");
  assert.equal(webSocket["extensions"], "", "src/worker/transport.ts asks by `extensions` whether to compress");
  assert.equal(webSocket["readyState"], 1);
  assert.equal(webSocket["bufferedAmount"], 0);
  const received: string[] = [];
  client.on("message", (data: Buffer) => received.push(data.toString()));
  const socket = webSocket["_socket"];
  const ws = webSocket as unknown as WebSocket;
  ws.send("4one");
  socket.write(Buffer.from([0x81, 4, ...Buffer.from("4two")]));
  ws.ping();
  socket.write(Buffer.from([0x81, 6, ...Buffer.from("4three")]));
  ws.close();
  await once(client, "close");
  assert.deepEqual(received.slice(-3), ["4one", "4two", "4three"], "frames of ws and of transport.ts do not mix");
});

test("@socket.io/sticky: setupWorker needs httpServer.emit, httpServer.prependListener and engine.on, and no more", async () => {
  cluster.setupPrimary({ exec: path.join(import.meta.dirname, "sticky-worker.mjs"), execArgv: [], args: [] });
  const [{ used }] = (await once(cluster.fork(), "message")) as [{ used: string[] }];
  const allowed = ["httpServer.prependListener", "httpServer.emit", "engine.on"];
  assert.deepEqual(
    used.filter((name) => !allowed.includes(name)),
    [],
    "src/worker/http-server.ts gives setupWorker an object of these three only",
  );
  assert.ok(used.includes("httpServer.emit"), "src/worker/http-server.ts takes connections by httpServer.emit");
});

test("Node: a socket's _handle has readStop and close, and its server counts it", async () => {
  const server = createTcpServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [TcpSocket];
  const handle = privately(accepted)["_handle"] as Private | null;
  const whole = handle !== null && isFunction(handle["readStop"]) && isFunction(handle["close"]);
  const owners = [privately(accepted)["server"], privately(accepted)["_server"]];
  const count = privately(server)["_connections"];
  client.destroy();
  accepted.destroy();
  server.close();
  assert.ok(whole, "src/primary/handoff.ts stops reading by _handle.readStop()");
  assert.deepEqual(
    owners,
    [server, server],
    "src/primary/handoff.ts takes a connection away from the server that has accepted it",
  );
  assert.equal(count, 1, "src/primary/handoff.ts counts it out");
});

test("engine.io: a session closes for a missing pong by onClose, and pingTimeoutTimer is null once the pong is there", async (t) => {
  const { session } = await openWebSocket(t);
  assert.ok(isFunction(session["onClose"]), "src/worker/heartbeat.ts stands in front of a session's onClose");
  assert.ok(isFunction(session["resetPingTimeout"]), "src/worker/heartbeat.ts starts the timeout anew");
  assert.equal(session["pingTimeoutTimer"], null, "src/worker/heartbeat.ts sees by it that no pong is awaited");
  (session["resetPingTimeout"] as () => void).call(session);
  assert.notEqual(session["pingTimeoutTimer"], null);
  (session["onPacket"] as (packet: object) => void).call(session, { type: "pong" });
  assert.equal(session["pingTimeoutTimer"], null);
});

test("socket.io-adapter: the numbers of its message types are those that the stream's entries carry", () => {
  assert.deepEqual(
    [
      [entry.BROADCAST, entry.SOCKETS_JOIN, entry.SOCKETS_LEAVE, entry.DISCONNECT_SOCKETS],
      [entry.FETCH_SOCKETS, entry.FETCH_SOCKETS_RESPONSE, entry.SERVER_SIDE_EMIT, entry.SERVER_SIDE_EMIT_RESPONSE],
      [entry.BROADCAST_CLIENT_COUNT, entry.BROADCAST_ACK],
    ],
    [
      [MessageType.BROADCAST, MessageType.SOCKETS_JOIN, MessageType.SOCKETS_LEAVE, MessageType.DISCONNECT_SOCKETS],
      [
        MessageType.FETCH_SOCKETS,
        MessageType.FETCH_SOCKETS_RESPONSE,
        MessageType.SERVER_SIDE_EMIT,
        MessageType.SERVER_SIDE_EMIT_RESPONSE,
      ],
      [MessageType.BROADCAST_CLIENT_COUNT, MessageType.BROADCAST_ACK],
    ],
    "src/bus/entry.ts has them by number: the bus sees Redis, not Socket.IO",
  );
});

test("engine.io: a session tells of each packet before it keeps it, of each flush, and keeps nothing once it is closing", async (t) => {
  const { session, transport, client } = await openWebSocket(t);
  const events: string[] = [];
  const emitter = session as unknown as EventEmitter;
  emitter.on("packetCreate", () =>
    events.push(
      `create, ${(session["writeBuffer"] as unknown[]).length} kept, writable: ${String(transport["writable"])}`,
    ),
  );
  (session["server"] as EventEmitter).on("flush", (flushed: unknown) =>
    events.push(flushed === session ? "flush" : "flush of another"),
  );
  const send = (): unknown => (session["send"] as (data: string) => unknown).call(session, "x");
  transport["writable"] = false;
  send();
  send();
  transport["writable"] = true;
  (transport as unknown as EventEmitter).emit("ready");
  assert.deepEqual(
    events,
    ["create, 0 kept, writable: false", "create, 1 kept, writable: false", "flush"],
    "src/worker/backlog.ts counts by these",
  );
  session["readyState"] = "closing";
  send();
  assert.equal((session["writeBuffer"] as unknown[]).length, 0, "src/worker/backlog.ts ends a session by `closing`");
  let reason: unknown;
  emitter.once("close", (why: unknown) => (reason = why));
  (session["onClose"] as (reason: string) => void).call(session, "slow consumer");
  assert.equal(reason, "slow consumer");
  client.terminate();
});

test("engine.io: an open session that keeps nothing hands a packet to its transport at once, and announces it by these events alone", async (t) => {
  const { session, transport, client } = await openWebSocket(t);
  await new Promise((resolve) => setImmediate(resolve));
  const why = "src/worker/direct-frames.ts passes it by where nobody listens";
  assert.deepEqual([session["readyState"], session["writeBuffer"], transport["writable"]], ["open", [], true], why);
  const events: string[] = [];
  for (const [name, announcer] of [
    ["session", session],
    ["server", session["server"]],
  ] as const) {
    const emitter = announcer as EventEmitter;
    const emit = emitter.emit.bind(emitter);
    emitter.emit = (event: string, ...args: unknown[]) => {
      events.push(`${name}: ${event}`);
      return emit(event, ...args);
    };
  }
  const sent = t.mock.method(transport as unknown as { send: (packets: unknown[]) => void }, "send");
  (session["send"] as (data: string) => unknown).call(session, "x");
  assert.equal(sent.mock.callCount(), 1, why);
  assert.deepEqual(
    events,
    ["session: packetCreate", "session: flush", "server: flush", "session: drain", "server: drain"],
    why,
  );
  client.terminate();
});

test("engine.io: polling has doWrite, onData, onDataRequest and onPacket; ws says of a long message what limpet counts", async () => {
  const polling = privately(
    new (transports.polling as unknown as new (request: object) => object)({ _query: { EIO: "4" } }),
  );
  for (const name of ["doWrite", "onData", "onDataRequest", "onPacket"])
    assert.ok(isFunction(polling[name]), `src/worker/polling-bounds.ts stands in front of ${name}`);
  const engine = new EngineServer({ maxHttpBufferSize: 10 });
  const server = createServer();
  server.on("upgrade", (request, socket, head) => engine.handleUpgrade(request, socket, head));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const closed = new Promise<Error>((resolve) =>
    engine.on("connection", (session: EventEmitter) =>
      session.once("close", (_reason: string, error: Error) => resolve(error)),
    ),
  );
  const client = new WebSocket(
    `ws://127.0.0.1:${(server.address() as AddressInfo).port}/engine.io/?EIO=4&transport=websocket`,
  );
  client.on("open", () => client.send("4".repeat(11)));
  assert.match(
    (await closed).message,
    /Max payload size exceeded$/,
    "src/worker/session-watch.ts knows it by its words",
  );
  client.terminate();
  engine.close();
  server.close();
});

test("socket.io: a namespace joins clients by _add and run, a socket takes events by onevent and keeps its acks in a Map", async () => {
  const io = new Server();
  const nsp = privately(io.of("/"));
  assert.equal((nsp["_add"] as () => void).length, 3, "src/worker/client-bounds.ts stands in front of _add");
  assert.equal((nsp["run"] as () => void).length, 2, "src/worker/client-bounds.ts stands in front of run");
  const { Socket } = await import("socket.io");
  assert.ok(
    isFunction(privately(Socket.prototype)["onevent"]),
    "src/worker/client-bounds.ts stands in front of onevent",
  );
  const { Decoder } = privately(io)["_parser"] as { Decoder: new () => { add(packet: unknown): void } };
  assert.throws(
    () => new Decoder().add('511-["x"]'),
    { message: "too many attachments" },
    "src/worker/bounded-decoder.ts",
  );
  const conn = Object.assign(new EventEmitter(), {
    id: "sid",
    readyState: "open",
    transport: { writable: true },
    close: () => undefined,
  });
  const client: unknown = await new Promise((resolve) => {
    nsp["_add"] = (joining: unknown) => resolve(joining);
    (privately(io)["onconnection"] as (conn: unknown) => void).call(io, conn);
    conn.emit("data", "0");
  });
  const { id, sockets, _packet, writeToEngine } = client as Private;
  assert.equal(id, "sid", "src/worker/adapter.ts finds the session by client.id");
  assert.ok(sockets instanceof Map && isFunction(_packet) && isFunction(writeToEngine), "src/worker/client-bounds.ts");
  conn.emit("close", "transport close");
});
