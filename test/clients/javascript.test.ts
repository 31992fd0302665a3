/** The behaviour test of stock clients, with socket.io-client. The one in Python (client.py) has the same checks, by the same names. */
import assert from "node:assert/strict";
import test, { after, before, type TestContext } from "node:test";
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor, within } from "../support/wait.js";
import { CHECKS, TRANSPORTS, type TransportName } from "./checks.js";

const WAIT_MS = 5_000;
const BYTES = Buffer.from([0, 1, 0x7f, 0x80, 0xff, 0x1e, 0x0a]);

let node: TestNode;
before(async () => {
  node = await startNode({ app: "test/clients/app.mjs" });
});
after(async () => {
  await node.stop();
});

type Options = Partial<ManagerOptions & SocketOptions>;
interface WhoAmI {
  readonly worker: number;
  readonly transport: string;
}

const options = (transport: TransportName): Options => ({
  ...(transport === "default" ? {} : { transports: [transport] }),
  forceNew: true,
  reconnectionDelay: 50,
  reconnectionDelayMax: 100,
});

/** The first argument of the event when it comes. */
const heard = (socket: Socket, event: string): Promise<unknown> =>
  new Promise((resolve) => void socket.once(event, resolve));

async function connect(t: TestContext, transport: TransportName, namespace = "", more: Options = {}): Promise<Socket> {
  const socket = io(node.url + namespace, { ...options(transport), ...more });
  t.after(() => void socket.disconnect());
  const refused = heard(socket, "connect_error").then((error) => {
    throw error as Error;
  });
  refused.catch(() => undefined);
  await within(Promise.race([heard(socket, "connect"), refused]), WAIT_MS, "the connection");
  return socket;
}

const call = async (socket: Socket, ...args: [string, ...unknown[]]): Promise<unknown> =>
  socket.timeout(WAIT_MS).emitWithAck(...args);
const whoami = async (socket: Socket): Promise<WhoAmI> => (await call(socket, "whoami")) as WhoAmI;
const upgraded = (transport: TransportName): string => (transport === "polling" ? "polling" : "websocket");

const behaviours: Record<(typeof CHECKS)[number], (t: TestContext, transport: TransportName) => Promise<void>> = {
  async connects(t, transport) {
    const socket = await connect(t, transport);
    const engine = socket.io.engine;
    await waitFor(() => engine.transport.name === upgraded(transport), { message: "the transport" });
    await waitFor(async () => (await whoami(socket)).transport === upgraded(transport), { message: "the upgrade" });
  },

  async "binary both ways"(t, transport) {
    const socket = await connect(t, transport);
    const echoed = (await call(socket, "echo", { deep: [BYTES] })) as { deep: [Buffer] };
    assert.ok(Buffer.isBuffer(echoed.deep[0]));
    assert.deepEqual(echoed.deep[0], BYTES);
    socket.on("bytes", (value: Buffer, reply: (answer: Buffer) => void) => reply(Buffer.from(value).reverse()));
    assert.deepEqual(await call(socket, "ask", "bytes", BYTES, WAIT_MS), Buffer.from(BYTES).reverse());
  },

  async "acknowledgements both ways"(t, transport) {
    const socket = await connect(t, transport);
    assert.deepEqual(await call(socket, "echo", "grüße 🐚"), "grüße 🐚");
    socket.on("double", (value: number, reply: (answer: number) => void) => reply(2 * value));
    assert.equal(await call(socket, "ask", "double", 21, WAIT_MS), 42);
  },

  async "timeouts of acknowledgements both ways"(t, transport) {
    const socket = await connect(t, transport);
    await assert.rejects(socket.timeout(100).emitWithAck("never"), /timed out/);
    assert.equal(await call(socket, "ask", "nobody listens", 1, 100), "timeout");
    assert.equal(await call(socket, "echo", "still here"), "still here");
  },

  async "rooms across the workers"(t, transport) {
    const [one, two] = await onTwoWorkers(t, transport);
    const room = `room of ${transport}`;
    const heard: string[][] = [[], []];
    for (const [index, socket] of [one, two].entries()) {
      socket.on("said", (_room: string, message: string) => heard[index]?.push(message));
      assert.equal(await call(socket, "join", room), true);
    }
    await call(one, "say", room, "first");
    await waitFor(() => heard.every((messages) => messages.includes("first")), { message: "the first message" });
    await call(two, "leave", room);
    await call(one, "say", room, "second");
    await call(two, "say", room, "third");
    await waitFor(() => heard[0]?.includes("third") && heard[0].includes("second"), { message: "what follows" });
    assert.deepEqual(await call(two, "echo", 1), 1);
    assert.deepEqual([heard[0]?.sort(), heard[1]], [["first", "second", "third"], ["first"]]);
  },

  async namespaces(t, transport) {
    const socket = await connect(t, transport, "/vip", { auth: { token: "gold" } });
    assert.deepEqual(await call(socket, "echo", 7), { vip: 7 });
    await assert.rejects(connect(t, transport, "/vip", { auth: { token: "tin" } }), /no entry/);
  },

  "comes back when its connection is cut": (t, transport) => comesBack(t, transport, "cut"),
};

async function comesBack(t: TestContext, transport: TransportName, event: "cut" | "close"): Promise<void> {
  const socket = await connect(t, transport);
  const { id } = socket;
  const reason = heard(socket, "disconnect");
  socket.emit(event);
  assert.match(String(await within(reason, WAIT_MS, "the end of the connection")), /^transport (close|error)$/);
  await waitFor(() => socket.connected, { timeoutMs: WAIT_MS, message: "the client to come back" });
  assert.notEqual(socket.id, id);
  assert.equal(await call(socket, "echo", "back"), "back");
}

async function onTwoWorkers(t: TestContext, transport: TransportName): Promise<[Socket, Socket]> {
  const one = await connect(t, transport);
  const { worker } = await whoami(one);
  for (let tries = 0; tries < 20; tries++) {
    const other = await connect(t, transport);
    if ((await whoami(other)).worker !== worker) return [one, other];
  }
  throw new Error("20 sessions on one of two workers");
}

for (const transport of TRANSPORTS) {
  for (const check of CHECKS) test(`JavaScript, ${transport}: ${check}`, (t) => behaviours[check](t, transport));
}

for (const transport of TRANSPORTS) {
  test(`JavaScript, ${transport}: comes back when the server closes its session`, (t) =>
    comesBack(t, transport, "close"));
}
