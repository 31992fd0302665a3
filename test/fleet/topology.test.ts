/**
 * What deploy/compose.yml describes, without containers: three nodes under fixed ids, one Redis, and an nginx whose configuration the CLI has made.
 * Stock clients over polling and WebSocket talk through it across all nodes, while one node is killed, comes back, and another one stops.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test, { type TestContext } from "node:test";
import type { Socket } from "socket.io-client";
import { parseSid } from "../../src/routing/address.js";
import { call, connectClients } from "../nginx/fleet.js";
import { startNginx, type Nginx } from "../support/nginx.js";
import { root, startNode, type TestNode } from "../support/node.js";
import { startRedis, type TestRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";

const IDS = [1, 2, 3];
const WORKERS = 2;
const CLIENTS_PER_TRANSPORT = 18;
const ROOM = "everybody";
const DEADLINE_MS = 30_000;
/** Stock clients take up to five seconds between attempts; these come back sooner, so that the test does. */
const RECONNECTION = { reconnectionDelay: 100, reconnectionDelayMax: 500 };

interface Client {
  readonly socket: Socket;
  readonly heard: string[];
}

function startMember(t: TestContext, redis: TestRedis, id: number, port = 0): Promise<TestNode> {
  return startNode(
    {
      app: "test/clients/app.mjs",
      workers: WORKERS,
      args: ["--redis", redis.url, "--node-id", String(id), "--port", String(port)],
      env: { LIMPET_FLEET_SECRET: "a secret of this fleet", LIMPET_FLEET_LEASE_MS: "2000" },
    },
    t,
  );
}

function configurationOf(nodes: ReadonlyMap<number, TestNode>, listen: string): string {
  const flags = [...nodes].flatMap(([id, { port }]) => ["--node", `${id}=127.0.0.1:${port}`]);
  const args = ["dist/cli/main.js", "nginx", ...flags, "--workers", String(WORKERS), "--listen", listen];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout;
}

const nodeOf = ({ socket }: Client): number | undefined => parseSid(socket.io.engine.id)?.node;

function listen(socket: Socket): Client {
  const heard: string[] = [];
  socket.on("said", (_room: string, message: string) => heard.push(message));
  return { socket, heard };
}

/** Opens a session and leaves it. @returns its id */
async function handshake(url: string): Promise<string> {
  const answer = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text();
  return (JSON.parse(answer.slice(1)) as { sid: string }).sid;
}

/** What nginx did not answer with 200 or 101, without requests for sessions of these nodes. */
function troublesOf(nginx: Nginx, ended: readonly number[] = []): string[] {
  return nginx
    .requests()
    .filter(({ status }) => status !== 200 && status !== 101)
    .filter(({ request }) => {
      const owner = parseSid(/[?&]sid=([^& ]+)/.exec(request)?.[1] ?? "");
      return owner === undefined || !ended.includes(owner.node);
    })
    .map(({ status, request }) => `${status} ${request}`);
}

/** A client of each node and transport speaks in the room, and everybody hears each of them once. */
async function talk(clients: readonly Client[], topic: string): Promise<void> {
  await Promise.all(clients.map(({ socket }) => call(socket, "join", ROOM)));
  const speakers = clients.filter((_, i) => i % 2 === 0);
  const said = speakers.map((_, i) => `${topic} ${i}`).sort();
  await Promise.all(speakers.map(({ socket }, i) => call(socket, "say", ROOM, `${topic} ${i}`)));
  await waitFor(() => clients.every(({ heard }) => heard.length >= said.length), {
    timeoutMs: DEADLINE_MS,
    message: () =>
      `${said.length} messages for each; there were ${clients.map(({ heard }) => heard.length).join(", ")}`,
  });
  for (const { heard } of clients) assert.deepEqual(heard.splice(0).sort(), said);
}

async function comeBack(clients: readonly Client[], without: number): Promise<void> {
  await waitFor(() => clients.every((client) => client.socket.connected && nodeOf(client) !== without), {
    timeoutMs: DEADLINE_MS,
    message: `the clients of node ${without} to come back elsewhere`,
  });
}

test("three nodes behind the generated nginx are one server, whichever of them is killed, comes back or stops", async (t) => {
  const redis = await startRedis(t);
  const started = await Promise.all(IDS.map((id) => startMember(t, redis, id)));
  const nodes = new Map(started.map((node, i) => [IDS[i] ?? 0, node]));
  const nginx = await startNginx(t, ({ port }) => configurationOf(nodes, `127.0.0.1:${port}`));

  const groups: Awaited<ReturnType<typeof connectClients>>[] = [];
  for (const transports of [["polling"], ["polling", "websocket"], ["websocket"]])
    groups.push(await connectClients(t, nginx.url, CLIENTS_PER_TRANSPORT, { transports, ...RECONNECTION }));
  const clients = groups.flatMap((group) => group.clients).map(listen);
  const troubles = (): string[] => groups.flatMap((group) => group.troubles.splice(0));
  const on = (id: number): Client[] => clients.filter((client) => nodeOf(client) === id);
  /** Of these clients each has lost its connection once, none was refused, and nobody else noticed anything. */
  const assertLost = (lost: readonly Client[]): void => {
    const noticed = troubles();
    assert.deepEqual(
      noticed.filter((trouble) => !/^client \d+ lost its connection/.test(trouble)),
      [],
    );
    assert.equal(noticed.length, lost.length, noticed.join("; "));
  };
  const rescues = async (): Promise<number> => {
    const scrapes = await Promise.all([...nodes.values()].map((node) => node.metrics()));
    return scrapes.reduce((sum, scrape) => sum + scrape.sum("limpet_rescues_total"), 0);
  };

  await t.test(
    "clients of each transport are on every node, and everybody hears everybody, with no error",
    async () => {
      await waitFor(() => groups[1]?.clients.every(({ io }) => io.engine.transport.name === "websocket"), {
        message: "the upgrades",
      });
      for (const id of IDS) {
        const transports = new Set(on(id).map(({ socket }) => socket.io.engine.transport.name));
        assert.deepEqual([...transports].sort(), ["polling", "websocket"], `node ${id}`);
      }
      for (const topic of ["first", "second", "third"]) await talk(clients, topic);
      assert.deepEqual(troubles(), []);
      assert.deepEqual(troublesOf(nginx), []);
      assert.equal(nginx.errors(), "");
      assert.equal(await rescues(), 0, "nginx finds every session's node and worker");
    },
  );

  await t.test("a node is killed: its clients come back on the others, and nobody else notices", async () => {
    const lost = on(2);
    const gone = lost.map(
      ({ socket }) => new Promise<void>((resolve) => void socket.once("disconnect", () => resolve())),
    );
    await nodes.get(2)?.kill();
    await Promise.all(gone);
    await comeBack(lost, 2);
    assert.equal(on(2).length, 0);
    await talk(clients, "without the second");
    assertLost(lost);
    assert.deepEqual(troublesOf(nginx, [2]), []);
  });

  await t.test("the node comes back under its id, and is one of them again", async () => {
    nodes.set(2, await startMember(t, redis, 2, nodes.get(2)?.port));
    // nginx tries it again some seconds after it has last failed.
    await waitFor(async () => parseSid(await handshake(nginx.url))?.node === 2, {
      intervalMs: 200,
      timeoutMs: DEADLINE_MS,
      message: "a session on it",
    });
    const group = await connectClients(t, nginx.url, 12, RECONNECTION);
    groups.push(group);
    clients.push(...group.clients.map(listen));
    assert.ok(on(2).length > 0, "clients are on it");
    await talk(clients, "with the second again");
    assert.deepEqual(troubles(), []);
  });

  await t.test("a node is stopped: it lets its clients go, they come back elsewhere, nobody else notices", async () => {
    const left = on(3);
    const gone = left.map(
      ({ socket }) => new Promise<void>((resolve) => void socket.once("disconnect", () => resolve())),
    );
    assert.deepEqual(await nodes.get(3)?.stop(), { code: 0, signal: null });
    await Promise.all(gone);
    await comeBack(left, 3);
    await talk(clients, "without the third");
    assertLost(left);
    assert.deepEqual(troublesOf(nginx, [2, 3]), []);
    for (const id of [1, 2]) {
      const scrape = await nodes.get(id)?.metrics();
      assert.equal(scrape?.sum("limpet_bus_dropped_total"), 0);
      assert.equal(scrape?.sum("limpet_bus_skipped_total"), 0);
      assert.equal(scrape?.sum("limpet_bus_gaps_total"), 0);
    }
  });
});
