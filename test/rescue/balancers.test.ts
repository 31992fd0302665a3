/** Stock clients of two nodes behind balancers that know nothing of sessions: no error, and nobody loses a session. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import type { Socket } from "socket.io-client";
import { call, connectClients, talk } from "../nginx/fleet.js";
import { startHaproxy } from "../support/haproxy.js";
import { startNginx, type Nginx } from "../support/nginx.js";
import type { TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { startFleet } from "./fleet.js";

const CLIENTS = 100;
const ROUNDS = 2;

/** Whether a request is an upgrade is all that this configuration asks about it. */
const roundRobin =
  (nodes: readonly TestNode[], keepAlive: boolean) =>
  ({ port }: { port: number }): string => `
    upstream gateway {
      ${nodes.map((node) => `server 127.0.0.1:${node.port};`).join(" ")}
      ${keepAlive ? "keepalive 64; keepalive_timeout 60s;" : ""}
    }
    server {
      listen 127.0.0.1:${port};
      set $connection_header ${keepAlive ? '""' : "close"};
      if ($http_upgrade) { set $connection_header upgrade; }
      location / {
        proxy_pass http://gateway;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_header;
        proxy_read_timeout 120s;
      }
    }`;

interface Balancer {
  readonly url: string;
  readonly nginx?: Nginx;
}

const BALANCERS: Readonly<Record<string, (t: TestContext, nodes: readonly TestNode[]) => Promise<Balancer>>> = {
  "nginx, round robin, connections kept alive": async (t, nodes) => {
    const nginx = await startNginx(t, roundRobin(nodes, true));
    return { url: nginx.url, nginx };
  },
  "nginx, round robin, a connection for each request": async (t, nodes) => {
    const nginx = await startNginx(t, roundRobin(nodes, false));
    return { url: nginx.url, nginx };
  },
  "haproxy in mode tcp": (t, nodes) =>
    startHaproxy(
      t,
      nodes.map(({ port }) => port),
    ),
};

const KINDS: Readonly<Record<string, { readonly transports: readonly string[]; readonly websocket: number }>> = {
  polling: { transports: ["polling"], websocket: 0 },
  default: { transports: ["polling", "websocket"], websocket: CLIENTS },
};

const idsOf = (clients: readonly Socket[]): (string | undefined)[] => clients.map(({ id }) => id);

const sum = async (nodes: readonly TestNode[], name: string, labels?: Record<string, string>): Promise<number> =>
  (await Promise.all(nodes.map((node) => node.metric(name, labels)))).reduce((total, value) => total + value, 0);

/** Rescues with any outcome but `forwarded`. */
async function unanswered(nodes: readonly TestNode[]): Promise<number> {
  const outcomes = ["gone", "unknown", "loop", "failed"];
  const counts = await Promise.all(outcomes.map((outcome) => sum(nodes, "limpet_rescues_total", { outcome })));
  return counts.reduce((total, count) => total + count, 0);
}

for (const [balancer, start] of Object.entries(BALANCERS)) {
  for (const [kind, { transports, websocket }] of Object.entries(KINDS)) {
    test(`${CLIENTS} ${kind} clients of two nodes behind ${balancer}: no error, and every session lives on`, async (t) => {
      const { a, b } = await startFleet(t, { app: "test/clients/app.mjs" });
      const nodes = [a, b];
      const errorsBefore = await sum(nodes, "limpet_handshake_errors_total");
      const unansweredBefore = await unanswered(nodes);
      const { url, nginx } = await start(t, nodes);
      const { clients, troubles } = await connectClients(t, url, CLIENTS, { transports: [...transports] });
      const ids = idsOf(clients);
      if (websocket > 0) {
        const upgraded = async (): Promise<boolean> =>
          (await sum(nodes, "limpet_connections", { transport: "websocket" })) === websocket;
        await waitFor(upgraded, { timeoutMs: 30_000, message: "every client to have upgraded" });
      }
      for (let round = 0; round < ROUNDS; round++) await talk(clients);
      const answers = await Promise.all(clients.map((client) => call(client, "whoami")));
      assert.equal(answers.length, CLIENTS);

      assert.deepEqual(troubles, []);
      assert.deepEqual(idsOf(clients), ids, "every client is who it was");
      assert.equal(await sum(nodes, "limpet_sessions_opened_total"), CLIENTS);
      assert.equal((await sum(nodes, "limpet_handshake_errors_total")) - errorsBefore, 0);
      if (nginx !== undefined) {
        assert.deepEqual(
          nginx.requests().filter(({ status }) => status !== 200 && status !== 101),
          [],
        );
        assert.equal(nginx.errors(), "");
      }
      const spread = await Promise.all(nodes.map((node) => node.metric("limpet_sessions_opened_total")));
      assert.ok(Math.min(...spread) > CLIENTS / 4, `the nodes have ${spread.join(" and ")} sessions`);
      const between = await sum(nodes, "limpet_rescues_total", { target: "node", outcome: "forwarded" });
      const within = await sum(nodes, "limpet_rescues_total", { target: "worker", outcome: "forwarded" });
      assert.equal((await unanswered(nodes)) - unansweredBefore, 0, "the owner has answered every request");
      assert.ok(between > 0, "the balancer sends requests to nodes that do not hold their sessions");
      t.diagnostic(`${between} requests rescued between nodes, ${within} between workers`);
    });
  }
}
