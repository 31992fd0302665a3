/** An app that calls `io.close()` ends its worker and nothing else: the worker is replaced, and its clients come back. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { io, type Socket } from "socket.io-client";
import { parseSid } from "../../src/routing/address.js";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

const WORKERS = 3;
const VICTIM = 1;
const HANDSHAKES = 60;
const DEADLINE_MS = 10_000;
const TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]];

interface Client {
  readonly socket: Socket;
  readonly transports: string;
  readonly slot: number;
  /** Why it was disconnected, each time. */
  readonly disconnects: string[];
  readonly said: unknown[];
}

async function connect(t: TestContext, node: TestNode, transports: string[]): Promise<Client> {
  const options = { forceNew: true, transports, reconnectionDelay: 50, reconnectionDelayMax: 200 };
  const socket = io(node.url, options);
  t.after(() => void socket.disconnect());
  const disconnects: string[] = [];
  const said: unknown[] = [];
  socket.on("disconnect", (reason) => disconnects.push(reason));
  socket.on("said", (message: unknown) => said.push(message));
  const [slot] = await who(socket);
  const name = transports.join(" then ");
  if (transports.length > 1) await waitFor(() => socket.io.engine.transport.name === "websocket", { message: name });
  return { socket, transports: name, slot, disconnects, said };
}

const who = async (socket: Socket): Promise<[slot: number, pid: number]> =>
  new Promise((resolve, reject) => {
    socket.timeout(DEADLINE_MS).emit("who", (error: Error | null, slot: number, pid: number) => {
      if (error === null) resolve([slot, pid]);
      else reject(error);
    });
  });

/** Clients of each choice of transports on each worker. */
async function connectEverywhere(t: TestContext, node: TestNode): Promise<Client[]> {
  const clients: Client[] = [];
  for (const transports of TRANSPORTS) {
    const slots = new Set<number>();
    while (slots.size < WORKERS) {
      const client = await connect(t, node, transports);
      slots.add(client.slot);
      clients.push(client);
    }
  }
  return clients;
}

async function say(client: Client, message: string): Promise<void> {
  await client.socket.timeout(DEADLINE_MS).emitWithAck("say", message);
}

test("a worker whose app calls io.close() ends and is replaced, its clients come back, and its siblings notice nothing", async (t) => {
  const node = await startNode({ app: "test/app/fixtures/closing.ts", workers: WORKERS }, t);
  const clients = await connectEverywhere(t, node);
  const victims = clients.filter(({ slot }) => slot === VICTIM);
  const others = clients.filter(({ slot }) => slot !== VICTIM);
  const [asker] = victims;
  const [other] = others;
  assert.ok(asker !== undefined && other !== undefined);
  const before = await node.workers();
  const pidOf = (workers: typeof before, slot: number): number | undefined =>
    workers.find((worker) => worker.slot === slot)?.pid;

  asker.socket.emit("close the server");
  // Meanwhile the siblings' clients talk.
  let talked = 0;
  const isReplaced = async (): Promise<boolean> => {
    await say(other, `during ${talked++}`);
    const now = await node.workers();
    const victim = now.find(({ slot }) => slot === VICTIM);
    return victim?.state === "ready" && victim.pid !== pidOf(before, VICTIM);
  };
  await waitFor(isReplaced, { timeoutMs: 15_000, message: "another worker in its place" });
  await node.waitForLog(({ msg, worker }) => msg === "the server is closed" && worker === VICTIM);
  await node.waitForLog(({ msg, worker }) => msg.includes("closed its Socket.IO server") && worker === VICTIM);

  for (const { socket, transports, disconnects } of victims) {
    await waitFor(() => disconnects.length > 0 && socket.connected, {
      message: `a client over ${transports} to come back`,
    });
    await who(socket);
  }
  await say(asker, "back");
  const during = Array.from({ length: talked }, (_, n) => `during ${n}`);
  const isBack = (): boolean => victims.every(({ said }) => said.includes("back"));
  await waitFor(isBack, { message: "a message to everyone from a client that came back" });
  for (const { disconnects, said } of others) {
    await waitFor(() => said.length > talked, { message: () => `what was said; there is ${said.join()}` });
    assert.deepEqual(said.sort(), ["back", ...during].sort());
    assert.deepEqual(disconnects, []);
  }
  const after = await node.workers();
  assert.equal(after.length, WORKERS);
  for (const { slot, pid } of before) if (slot !== VICTIM) assert.equal(pidOf(after, slot), pid);

  const slots = new Set<number | undefined>();
  for (let n = 0; n < HANDSHAKES; n++) {
    const open = n % 2 === 0 ? PollingSession : WebSocketSession;
    const session = await open.open(t, { port: node.port });
    slots.add(parseSid(session.sid)?.slot);
    await session.joinMain();
  }
  assert.deepEqual([...slots].sort(), [0, 1, 2], "every worker takes new sessions");
});
