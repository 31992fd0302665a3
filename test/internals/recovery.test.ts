/** What recovery leans on in socket.io, socket.io-parser and engine.io. As in socket-io.test.ts, each test names the part. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import test from "node:test";
import { Server, Socket } from "socket.io";
import { Adapter, type BroadcastOptions } from "socket.io-adapter";
import { Decoder, Encoder, PacketType } from "socket.io-parser";

/** What a stock server with recovery asked of its adapter and wrote to the client, in order. */
function start(session?: object) {
  const log: unknown[][] = [];
  class Logging extends Adapter {
    override addAll(id: string, rooms: Set<string>): void {
      log.push(["addAll", id, [...rooms], (this.nsp as { sockets: Map<string, unknown> }).sockets.has(id)]);
      void super.addAll(id, rooms);
    }
    override delAll(id: string): void {
      log.push(["delAll", id]);
      super.delAll(id);
    }
    override broadcast(packet: { data: unknown[] }, opts: BroadcastOptions): void {
      log.push(["broadcast", packet.data, [...opts.rooms], opts.except?.size]);
    }
    override persistSession({ sid, pid }: { sid: string; pid: string }): void {
      log.push(["persistSession", sid, pid]);
    }
    override restoreSession(pid: string, offset: string): ReturnType<Adapter["restoreSession"]> {
      log.push(["restoreSession", pid, offset]);
      return Promise.resolve(session as never);
    }
  }
  const io = new Server({ connectionStateRecovery: {}, adapter: Logging as never });
  const conn = Object.assign(new EventEmitter(), {
    id: "sid",
    protocol: 4,
    readyState: "open",
    request: { headers: {}, connection: {} },
  });
  const written: unknown[] = [];
  const client = {
    conn,
    id: "sid",
    request: conn.request,
    sockets: new Map(),
    _packet: (packet: { type: number; data: unknown }) => {
      written.push(packet);
      log.push(["packet", packet.type]);
    },
    writeToEngine: () => undefined,
    _remove: () => undefined,
  };
  const add = (auth: object) =>
    new Promise<Socket & Record<string, unknown>>((resolve) => {
      void (io.of("/") as unknown as { _add(...args: unknown[]): unknown })._add(client, auth, resolve);
    });
  return { io, log, add, conn };
}

test("socket.io: a new socket is put into its namespace, joins the room of its id, and then writes its CONNECT packet", async () => {
  const { log, add } = start();
  const socket = await add({});
  assert.deepEqual(log, [
    ["addAll", socket.id, [socket.id], true],
    ["packet", PacketType.CONNECT],
  ]);
  assert.equal(typeof socket["pid"], "string");
});

test("socket.io: a session is asked for where pid and offset are strings, and a recovered socket joins before it is in its namespace", async () => {
  const { log, add } = start({ sid: "id", pid: "secret", rooms: ["id", "a"], data: { n: 1 }, missedPackets: [] });
  const socket = await add({ pid: "secret", offset: "" });
  assert.deepEqual(log, [
    ["restoreSession", "secret", ""],
    ["addAll", "id", ["id"], false],
    ["addAll", "id", ["a"], false],
    ["addAll", "id", ["id"], true],
    ["packet", PacketType.CONNECT],
  ]);
  assert.deepEqual([socket.id, socket["pid"], socket.recovered, socket.data], ["id", "secret", true, { n: 1 }]);
  const { log: other, add: addOther } = start();
  await addOther({ pid: "secret" });
  assert.ok(!other.some(([what]) => what === "restoreSession"), "without an offset nobody is asked");
});

test("socket.io: socket.emit is a broadcast to the room of its id, except nobody; its own `emit` can be replaced", async () => {
  const { log, add } = start();
  const socket = await add({});
  log.length = 0;
  socket.emit("event", 1);
  socket.to("room").emit("others");
  assert.deepEqual(log, [
    ["broadcast", ["event", 1], [socket.id], 0],
    ["broadcast", ["others"], ["room"], 1],
  ]);
  assert.equal(Object.hasOwn(socket, "emit"), false);
  const stock = (Socket.prototype as unknown as { emit: (...args: unknown[]) => boolean }).emit;
  assert.equal(Reflect.get(socket, "emit"), stock);
  const calls: unknown[] = [];
  Object.assign(socket, { emit: (...args: unknown[]) => calls.push(args) > 0 });
  socket.send("text");
  assert.deepEqual(calls, [["message", "text"]]);
});

test("socket.io: _onclose keeps the session for reasons of the network, before it leaves its rooms; for others it does not", async () => {
  for (const [reason, keeps] of [
    ["transport close", true],
    ["ping timeout", true],
    ["forced close", true],
    ["server shutting down", true],
    ["client namespace disconnect", false],
    ["recovered elsewhere", false],
  ] as const) {
    const { log, add } = start();
    const socket = await add({});
    log.length = 0;
    const heard: unknown[] = [];
    socket.on("disconnect", (why) => heard.push(why));
    (socket as unknown as { _onclose(reason: string): void })._onclose(reason);
    (socket as unknown as { _onclose(reason: string): void })._onclose(reason);
    assert.deepEqual(heard, [reason], "once");
    const left = ["delAll", socket.id];
    assert.deepEqual(log, keeps ? [["persistSession", socket.id, socket["pid"]], left] : [left], reason);
  }
});

test("socket.io: _cleanup takes a socket out of its rooms and its namespace, also while its middlewares run", async () => {
  const { io, log, add } = start({ sid: "id", pid: "secret", rooms: ["id"], data: {}, missedPackets: [] });
  let next: (() => void) | undefined;
  Object.assign((io as unknown as { opts: object }).opts, { connectionStateRecovery: { skipMiddlewares: false } });
  io.use((_, done) => (next = done));
  void add({ pid: "secret", offset: "" });
  await new Promise(setImmediate);
  const nsp = io.of("/") as unknown as { _preConnectSockets: Map<string, { _cleanup(): void }> };
  assert.ok(next !== undefined);
  nsp._preConnectSockets.get("id")?._cleanup();
  assert.equal(nsp._preConnectSockets.size, 0);
  assert.deepEqual(log.at(-1), ["delAll", "id"]);
});

test("socket.io-parser: a Decoder calls its listeners in the order in which they were added, with the packet itself", () => {
  const decoder = new Decoder();
  const seen: unknown[] = [];
  decoder.on("decoded", (packet) => Object.assign(packet, { data: "changed" }));
  decoder.on("decoded", (packet) => seen.push(packet.data));
  for (const text of new Encoder().encode({ type: PacketType.CONNECT, nsp: "/", data: { a: 1 } })) decoder.add(text);
  assert.deepEqual(seen, ["changed"]);
});
