/** Stock clients through nginx: with the generated configuration nothing needs a rescue, with any other nothing breaks. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Socket } from "socket.io-client";
import { startNginx } from "../support/nginx.js";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { call, connectClients, rescuesOf, startFleet, talk, type Fleet } from "./fleet.js";

const CLIENTS = 100;

async function workersOf(clients: readonly Socket[]): Promise<Set<number>> {
  const answers = await Promise.all(clients.map((client) => call(client, "whoami")));
  return new Set(answers.map((answer) => (answer as { worker: number }).worker));
}

/** Nothing but answers of 200 and 101, and nothing in nginx's error log. */
function assertNoErrors({ nginx }: Pick<Fleet, "nginx">, troubles: readonly string[]): void {
  assert.deepEqual(troubles, []);
  const bad = nginx.requests().filter(({ status }) => status !== 200 && status !== 101);
  assert.deepEqual(bad, []);
  assert.equal(nginx.errors(), "");
}

test("100 polling clients through the generated configuration: no error and no rescue", async (t) => {
  const fleet = await startFleet(t);
  const { clients, troubles } = await connectClients(t, fleet.nginx.url, CLIENTS, { transports: ["polling"] });
  assert.deepEqual(await workersOf(clients), new Set([0, 1]));
  await talk(clients);
  assertNoErrors(fleet, troubles);
  assert.deepEqual(await rescuesOf(fleet.node), { forwarded: 0, failed: 0 });
});

test("100 polling clients through nginx that keeps connections alive and knows nothing of sids: no error, and rescues", async (t) => {
  const node = await startNode({ app: "test/clients/app.mjs" }, t);
  const nginx = await startNginx(
    t,
    ({ port }) => `
      upstream gateway { server 127.0.0.1:${node.port}; keepalive 64; keepalive_timeout 60s; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://gateway;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
        }
      }`,
  );
  const { clients, troubles } = await connectClients(t, nginx.url, CLIENTS, { transports: ["polling"] });
  await talk(clients);
  assertNoErrors({ nginx }, troubles);
  const { forwarded, failed } = await rescuesOf(node);
  assert.ok(forwarded > 100, `${forwarded} rescues`);
  assert.equal(failed, 0);
  const refused = await node.metric("limpet_handshake_errors_total");
  assert.equal(refused, 0);
});

for (const { what, transports, upgrades } of [
  { what: "WebSocket alone", transports: ["websocket"], upgrades: 0 },
  { what: "polling with an upgrade", transports: ["polling", "websocket"], upgrades: 30 },
]) {
  test(`${what} passes the generated configuration`, async (t) => {
    const fleet = await startFleet(t);
    const { clients, troubles } = await connectClients(t, fleet.nginx.url, 30, { transports });
    await waitFor(() => clients.every(({ io }) => io.engine.transport.name === "websocket"), {
      message: "the upgrades",
    });
    await talk(clients);
    assertNoErrors(fleet, troubles);
    assert.deepEqual(await rescuesOf(fleet.node), { forwarded: 0, failed: 0 });
    const scrape = await fleet.node.metrics();
    assert.equal(scrape.sum("limpet_connections", { transport: "websocket" }), 30);
    assert.equal(scrape.sum("limpet_upgrades_total", { outcome: "completed" }), upgrades);
  });
}

test("a worker that is replaced gets its pool back: its clients return, and no other notices", async (t) => {
  const fleet = await startFleet(t);
  const { clients, troubles } = await connectClients(t, fleet.nginx.url, 20, {
    transports: ["polling"],
    reconnectionDelay: 100,
    reconnectionDelayMax: 300,
  });
  const answers = await Promise.all(clients.map((client) => call(client, "whoami")));
  const lost = clients.filter((_, i) => (answers[i] as { worker: number }).worker === 1);
  assert.ok(lost.length > 0 && lost.length < clients.length);
  const victim = (await fleet.node.workers()).find(({ slot }) => slot === 1);
  assert.ok(victim);
  const gone = Promise.all(
    lost.map((client) => new Promise<void>((resolve) => void client.once("disconnect", () => resolve()))),
  );
  process.kill(victim.pid, "SIGKILL");
  await gone;
  await waitFor(async () => (await fleet.node.workers()).filter(({ state }) => state === "ready").length === 2, {
    timeoutMs: 20_000,
    message: "the new worker",
  });
  await waitFor(() => clients.every(({ connected }) => connected), {
    timeoutMs: 20_000,
    message: "the clients to return",
  });
  const untouched = clients.length - lost.length;
  const hit = new Set(troubles.map((trouble) => /^client (\d+)/.exec(trouble)?.[1]));
  assert.equal(
    hit.size,
    lost.length,
    `${untouched} clients of the other worker notice nothing: ${troubles.join(", ")}`,
  );
  await talk(clients);
});
