/** A port for each worker: behind the generated configuration sessions pass the front only to begin, and whoever comes to such a port is nobody special. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket as TcpSocket } from "node:net";
import test, { type TestContext } from "node:test";
import { createLogger } from "../../src/telemetry/log.js";
import { SlotPort } from "../../src/worker/slot-port.js";
import { EngineRefusal, PollingSession, WebSocketSession } from "../support/engine-client.js";
import { freePorts } from "../support/free-port.js";
import { startNode } from "../support/node.js";
import { RawConnection } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";
import { connectClients, rescuesOf, startFleet, talk, type Fleet } from "./fleet.js";

const WORKERS = 2;
/** A port for each of the workers, and for those of a reload. */
const PORTS = 2 * WORKERS;

async function startDirectFleet(t: TestContext, args: readonly string[] = []): Promise<Fleet & { slotPorts: number }> {
  const slotPorts = await freePorts(PORTS);
  const flags = ["--slot-ports", String(slotPorts), ...args];
  return { slotPorts, ...(await startFleet(t, { workers: WORKERS, args: flags }, { workers: WORKERS, slotPorts })) };
}

const handOvers = ({ node }: Fleet): Promise<number> => node.metric("limpet_handoff_seconds_count");

function upstreamsOf({ nginx }: Fleet, from = 0): Set<string> {
  return new Set(
    nginx
      .requests()
      .slice(from)
      .map(({ upstream }) => upstream),
  );
}

for (const transports of [["polling"], ["polling", "websocket"]]) {
  test(`100 clients by ${transports.join(" and ")}: the front hands over each one's first request, and no other`, async (t) => {
    const fleet = await startDirectFleet(t);
    const { clients, troubles } = await connectClients(t, fleet.nginx.url, 100, { transports });
    await talk(clients);
    assert.deepEqual(troubles, []);
    const bad = fleet.nginx.requests().filter(({ status }) => status !== 200 && status !== 101);
    assert.deepEqual(bad, []);
    assert.equal(fleet.nginx.errors(), "");
    assert.deepEqual(await rescuesOf(fleet.node), { forwarded: 0, failed: 0 });
    assert.equal(await handOvers(fleet), 100);
    const workers = [0, 1].map((slot) => `127.0.0.1:${fleet.slotPorts + slot}`);
    assert.deepEqual([...upstreamsOf(fleet)].sort(), [`127.0.0.1:${fleet.node.port}`, ...workers].sort());
  });
}

test("a worker that is killed comes back at its port; its clients come back, the others notice nothing", async (t) => {
  const fleet = await startDirectFleet(t);
  const { clients, troubles } = await connectClients(t, fleet.nginx.url, 20, {
    transports: ["polling"],
    reconnectionDelay: 100,
    reconnectionDelayMax: 300,
  });
  // A worker tells the primary of its sessions some milliseconds after they have begun.
  await waitFor(async () => (await fleet.node.workers()).reduce((sum, { sessions }) => sum + sessions, 0) === 20, {
    message: "the primary to count every client",
  });
  const [victim] = (await fleet.node.workers()).filter(({ slot }) => slot === 1);
  assert.ok(victim !== undefined && victim.sessions > 0 && victim.sessions < 20);
  process.kill(victim.pid, "SIGKILL");
  await waitFor(
    async () =>
      (await fleet.node.workers()).some(
        (worker) => worker.slot === 1 && worker.pid !== victim.pid && worker.state === "ready",
      ),
    {
      timeoutMs: 20_000,
      message: "the new worker",
    },
  );
  await waitFor(() => troubles.length >= victim.sessions && clients.every(({ connected }) => connected), {
    timeoutMs: 20_000,
    message: () => `the clients to return: ${troubles.join(", ")}`,
  });
  const hit = new Set(troubles.map((trouble) => /^client (\d+)/.exec(trouble)?.[1]));
  assert.equal(hit.size, victim.sessions, troubles.join(", "));
  const session = await sessionOn(t, fleet.node.port, 1, await sidPrefixOf(t, fleet, 1));
  await session.post("2");
  await talk(clients);
});

test("with a reload sessions of workers that drain go on by the front, and those of the new ones have ports of their own", async (t) => {
  const fleet = await startDirectFleet(t);
  const reconnection = { reconnectionDelay: 50, reconnectionDelayMax: 100 };
  const { clients } = await connectClients(t, fleet.nginx.url, 20, { transports: ["polling"], ...reconnection });
  fleet.node.signal("SIGHUP");
  await fleet.node.waitForLog(({ msg }) => msg === "reload: done", 60_000);
  await waitFor(() => clients.every(({ connected }) => connected), { message: "the clients to return" });
  const before = fleet.nginx.requests().length;
  await talk(clients);
  const upstreams = upstreamsOf(fleet, before);
  for (const slot of [2, 3]) assert.ok(upstreams.has(`127.0.0.1:${fleet.slotPorts + slot}`), [...upstreams].join(", "));
  const troubles = fleet.nginx
    .requests()
    .slice(before)
    .filter(({ status }) => status !== 200);
  assert.deepEqual(troubles, []);
});

/** Characters that the ids of a slot's sessions begin with. */
async function sidPrefixOf(t: TestContext, { slotPorts }: { slotPorts: number }, slot: number): Promise<string> {
  const session = await PollingSession.open(t, { port: slotPorts + slot });
  return session.sid.slice(0, 3);
}

/** A session that the front has given to that worker. */
async function sessionOn(t: TestContext, port: number, slot: number, prefix: string): Promise<PollingSession> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const session = await PollingSession.open(t, { port });
    if (session.sid.startsWith(prefix)) return session;
  }
  throw new Error(`no session on slot ${slot}`);
}

test("a worker's port serves its sessions and others', and believes nobody what only a sibling is believed", async (t) => {
  const slotPorts = await freePorts(PORTS);
  const node = await startNode(
    { workers: WORKERS, app: "test/clients/app.mjs", args: ["--slot-ports", String(slotPorts)] },
    t,
  );
  const own = await WebSocketSession.open(t, { port: slotPorts });
  await own.joinMain();
  const onOther = await sessionOn(t, node.port, 1, await sidPrefixOf(t, { slotPorts }, 1));
  const connection = await RawConnection.open(t, slotPorts);
  const headers = { "X-Limpet-Client-Address": "203.0.113.7", "Content-Type": "text/plain;charset=UTF-8" };
  const answer = await connection.request({ method: "POST", target: onOther.target, headers, body: "40" });
  // By the Unix socket it would have been answered here, with 400.
  assert.equal(answer.status, 200, answer.text);
  assert.equal(await node.metric("limpet_rescues_total", { target: "worker", outcome: "forwarded" }), 1);
  assert.match((await onOther.poll()).join(), /^40/);
});

test("handshakes at a worker's port are counted by its budget", async (t) => {
  const slotPorts = await freePorts(PORTS);
  const env = { LIMPET_ACCESS_HANDSHAKES_PER_SECOND: "1", LIMPET_ACCESS_MAX_WAIT_MS: "0" };
  await startNode({ workers: 1, args: ["--slot-ports", String(slotPorts)], env }, t);
  const opened = await Promise.allSettled(
    Array.from({ length: 20 }, () => PollingSession.open(t, { port: slotPorts })),
  );
  const refused = opened
    .filter(({ status }) => status === "rejected")
    .map((one) => (one as PromiseRejectedResult).reason as EngineRefusal);
  assert.ok(refused.length > 0 && refused.length < 20, `${refused.length} of 20 were refused`);
  assert.deepEqual(new Set(refused.map(({ status }) => status)), new Set([503]));
});

test("at a worker's port a head that is late is answered 408, one that is too long 431", async (t) => {
  const slotPorts = await freePorts(PORTS);
  await startNode(
    { workers: 1, args: ["--slot-ports", String(slotPorts)], env: { LIMPET_HTTP_HEADERS_TIMEOUT_MS: "500" } },
    t,
  );
  for (const [bytes, status] of [
    ["", 408],
    ["GET /socket.io/?EIO=4", 408],
    [`GET /${"x".repeat(20_000)}`, 431],
  ] as const) {
    const connection = await RawConnection.open(t, slotPorts);
    if (bytes !== "") await connection.write(bytes);
    assert.equal((await connection.readResponse()).status, status);
    await connection.waitForEnd();
  }
});

test("a worker that drains takes nobody at its port any more", async (t) => {
  const slotPorts = await freePorts(PORTS);
  const node = await startNode(
    { workers: 1, app: "test/clients/app.mjs", args: ["--slot-ports", String(slotPorts)] },
    t,
  );
  const session = await PollingSession.open(t, { port: slotPorts });
  await session.joinMain();
  node.signal("SIGTERM");
  await waitFor(
    async () => {
      const opening = PollingSession.open(t, { port: slotPorts });
      return opening.then(
        () => false,
        (error: unknown) => !(error instanceof EngineRefusal),
      );
    },
    { message: "the port to be closed" },
  );
});

test("a port that somebody has is listened on once he is gone", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const taken: TcpSocket[] = [];
  const slotPort = new SlotPort({
    port,
    host: "127.0.0.1",
    onConnection: (socket) => void taken.push(socket),
    log: createLogger({ level: "silent", node: 0 }),
  });
  t.after(() => slotPort.close());
  await slotPort.open();
  other.close();
  await waitFor(async () => {
    const connection = await RawConnection.open(t, port);
    connection.close();
    return taken.length > 0;
  });
});
