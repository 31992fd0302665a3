/** A real node behind a real nginx, and stock clients through it. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { nginxConfig, type NginxOptions } from "../../src/cli/nginx-config.js";
import { startNginx, type Nginx } from "../support/nginx.js";
import { startNode, type NodeOptions, type TestNode } from "../support/node.js";
import { waitFor, within } from "../support/wait.js";
import { DEFAULTS } from "./options.js";

const ROUNDS = 10;
const ROOM = "everybody";

export interface Fleet {
  readonly node: TestNode;
  readonly nginx: Nginx;
}

/** The generated configuration before one node that runs the clients' test app. */
export async function startFleet(
  t: TestContext,
  options: NodeOptions = {},
  change: Partial<NginxOptions> = {},
): Promise<Fleet> {
  const node = await startNode({ app: "test/clients/app.mjs", ...options }, t);
  const nodes = [{ id: 0, address: `127.0.0.1:${node.port}` }];
  const nginx = await startNginx(t, ({ port }) =>
    nginxConfig({ ...DEFAULTS, nodes, ...change, listen: `127.0.0.1:${port}` }),
  );
  return { node, nginx };
}

/** Connects that many clients at once; each trouble of any of them is written down. */
export async function connectClients(
  t: TestContext,
  url: string,
  count: number,
  options: Partial<ManagerOptions & SocketOptions>,
): Promise<{ clients: Socket[]; troubles: string[] }> {
  const troubles: string[] = [];
  const clients = Array.from({ length: count }, () => io(url, { forceNew: true, ...options }));
  let closing = false;
  t.after(() => {
    closing = true;
    for (const client of clients) client.disconnect();
  });
  const connected = clients.map(async (client, i) => {
    client.on("connect_error", (error) => troubles.push(`client ${i} could not connect: ${error.message}`));
    client.on("disconnect", (reason) => {
      if (!closing) troubles.push(`client ${i} lost its connection: ${reason}`);
    });
    await new Promise<void>((resolve) => void client.once("connect", resolve));
  });
  await within(Promise.all(connected), 30_000, `${count} clients to connect; ${troubles.join(", ")}`);
  return { clients, troubles };
}

export const call = (client: Socket, ...args: [string, ...unknown[]]): Promise<unknown> =>
  client.timeout(15_000).emitWithAck(...args) as Promise<unknown>;

/** Every client calls, and every client hears every tenth. */
export async function talk(clients: readonly Socket[]): Promise<void> {
  const heard = new Map(clients.map((client) => [client, 0]));
  for (const client of clients) {
    client.on("said", () => heard.set(client, (heard.get(client) ?? 0) + 1));
  }
  await Promise.all(clients.map((client) => call(client, "join", ROOM)));
  let said = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const echoed = await Promise.all(clients.map((client, i) => call(client, "echo", `${round}/${i}`)));
    assert.deepEqual(
      echoed,
      clients.map((_, i) => `${round}/${i}`),
    );
    await Promise.all(clients.filter((_, i) => i % 50 === round).map((client) => call(client, "say", ROOM, "hello")));
    said += clients.filter((_, i) => i % 50 === round).length;
  }
  await waitFor(() => [...heard.values()].every((count) => count === said), {
    timeoutMs: 20_000,
    message: () => `${said} messages for each; there were ${[...new Set(heard.values())].join(", ")}`,
  });
}

export interface Rescues {
  readonly forwarded: number;
  /** Every other outcome. */
  readonly failed: number;
}

export async function rescuesOf(node: TestNode): Promise<Rescues> {
  const scrape = await node.metrics();
  const forwarded = scrape.sum("limpet_rescues_total", { outcome: "forwarded" });
  return { forwarded, failed: scrape.sum("limpet_rescues_total") - forwarded };
}
