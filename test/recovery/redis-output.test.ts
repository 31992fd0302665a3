/**
 * What recovery costs Redis where much was said for others meanwhile (finding 23: stock servers read the whole rest of the stream for each client, 9.6 MB at
 * 8,000 entries). A node has these in its own log, and one that came later reads them once for everybody.
 */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import type { Redis } from "ioredis";
import { waitFor } from "../support/wait.js";
import { said, startPair, startPairNode, untilSaid, untilSaved, type PairNode } from "./pair.js";
import { RawClient } from "./raw-client.js";

const CLIENTS = 1_000;
const AT_ONCE = 50;
const ENTRIES = 8_000;
const ENTRY_BYTES = 1_000;
const MAX_OUTPUT_BYTES = 20_000;

async function inGroups(
  clients: readonly RawClient[],
  run: (client: RawClient, n: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < clients.length; from += AT_ONCE)
    await Promise.all(clients.slice(from, from + AT_ONCE).map((client, n) => run(client, from + n)));
}

async function outputOf(redis: Redis): Promise<number> {
  return Number(/total_net_output_bytes:(\d+)/.exec(await redis.info("stats"))?.[1]);
}

/** @param next the node that the clients come back to, asked for once everything has been said */
async function recoverAll(t: TestContext, next: (late: () => Promise<PairNode>, there: PairNode) => Promise<PairNode>) {
  const { redis, client: admin, a, b } = await startPair(t);
  const clients = Array.from({ length: CLIENTS }, () => new RawClient(t, { port: a.port }));
  await inGroups(clients, async (client, n) => {
    await client.connect();
    await client.call("join", `own ${n}`);
  });
  const [last] = clients.slice(-1);
  assert.ok(last);
  await untilSaved(admin, last, `own ${CLIENTS - 1}`);
  const publisher = new RawClient(t, { port: a.port });
  await publisher.connect();
  for (const client of clients) client.cut();
  const value = "x".repeat(ENTRY_BYTES);
  for (let sent = 0; sent < ENTRIES; sent += 100) await publisher.call("publish", "others", Array(100).fill(value));
  await inGroups(clients, (_, n) => publisher.call("publish", `own ${n}`, [n]));
  await waitFor(async () => (await b.metric("limpet_recovery_log_entries")) >= ENTRIES + CLIENTS, {
    timeoutMs: 30_000,
    message: "the other node to have read everything",
  });
  const node = await next(() => startPairNode(t, redis, 3), b);
  const before = await outputOf(admin);
  await inGroups(clients, async (client, n) => {
    await client.connect({ port: node.port });
    assert.equal(client.recovered, true);
    await untilSaid(client, 1);
    assert.deepEqual(said(client), [n]);
  });
  const each = ((await outputOf(admin)) - before) / CLIENTS;
  t.diagnostic(
    `${Math.round(each)} bytes of Redis' output for each of ${CLIENTS} clients, after ${ENTRIES} entries for others`,
  );
  assert.ok(each < MAX_OUTPUT_BYTES, `${each} bytes`);
}

test("1,000 clients come back to a node that has heard everything: Redis is asked for their sessions alone", async (t) => {
  await recoverAll(t, (_, there) => Promise.resolve(there));
});

test("1,000 clients come back to a node that came later: it reads what was said once for all", async (t) => {
  await recoverAll(t, (late) => late());
});
