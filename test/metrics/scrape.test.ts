import assert from "node:assert/strict";
import test from "node:test";
import { metricCatalog } from "../../src/telemetry/catalog.js";
import { promtool } from "../deploy/promtool.js";
import type { Scrape } from "../support/metrics-text.js";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { call, openClient, openPair, pidOf, slotOf } from "./clients.js";

const APP = "test/metrics/app.ts";
/** As a Prometheus would give up, by far. */
const SCRAPE_MS = 1_000;

test("a scrape while a worker is blocked for 3 s answers with what that worker said last", async (t) => {
  const node = await startNode({ app: APP, workers: 2 }, t);
  const [blocked, other] = await openPair(t, node);
  await call(blocked, "join", "a");
  const before = await node.metrics();
  blocked.send('42["block",3000]');
  const untilMs = performance.now() + 2_500;
  let scrapes = 0;
  for (; performance.now() < untilMs; scrapes++) {
    const startedAtMs = performance.now();
    const during = await node.metrics();
    assert.ok(performance.now() - startedAtMs < SCRAPE_MS, "the scrape waited for the worker");
    for (const slot of [slotOf(blocked.sid), slotOf(other.sid)]) {
      assert.equal(during.sum("limpet_connections", { worker: String(slot) }), 1);
    }
    assert.equal(during.sum("limpet_sessions_opened_total"), 2);
    // What the other one does shows at once.
    await call(other, "join", `room ${scrapes}`);
    assert.equal((await node.metrics()).sum("limpet_messages_received_total") >= 4 + scrapes, true);
  }
  t.diagnostic(`${2 * scrapes} scrapes while a worker was blocked`);
  await waitFor(
    async () => (await node.metric("limpet_event_loop_lag_seconds_sum", { worker: String(slotOf(blocked.sid)) })) > 2.5,
  );
  assert.ok(
    (await node.metrics()).sum("limpet_messages_received_total") > before.sum("limpet_messages_received_total"),
  );
});

test("no counter goes down while workers are killed and come back, and the dead leave no gauge", async (t) => {
  const node = await startNode({ app: APP, workers: 2 }, t);
  let highest = new Map<string, number>();
  let scrapes = 0;
  const look = async (): Promise<void> => {
    const now = countersIn(await node.metrics());
    scrapes++;
    for (const [series, value] of highest) {
      const current = now.get(series);
      assert.ok(current !== undefined && current >= value, `${series} went from ${value} to ${current}`);
    }
    highest = now;
  };
  for (let kill = 0; kill < 3; kill++) {
    const pair = await openPair(t, node);
    for (const client of pair) await call(client, "join", "a");
    await look();
    const victim = pair[kill % 2];
    assert.ok(victim !== undefined);
    const slot = slotOf(victim.sid);
    process.kill(await pidOf(node, slot), "SIGKILL");
    let gone = false;
    await waitFor(async () => {
      await look();
      gone ||= (await node.metrics()).find("limpet_connections", { worker: String(slot) }).length === 0;
      return (await node.workers()).filter(({ state }) => state === "ready").length === 2 && gone;
    });
    for (const client of pair) client.socket.terminate();
    await waitFor(async () => (await node.metric("limpet_connections")) === 0);
  }
  t.diagnostic(`${highest.size} series never went down over ${scrapes} scrapes`);
  assert.equal(await node.metric("limpet_sessions_opened_total"), 6);
  assert.equal(await node.metric("limpet_worker_restarts_total", { cause: "killed" }), 3);
});

test("20 scrapes at once are all answered, also while a worker is blocked", async (t) => {
  const node = await startNode({ app: APP, workers: 2 }, t);
  const client = await openClient(t, node);
  for (const blockMs of [0, 2_000]) {
    client.send(`42["block",${blockMs}]`);
    const startedAtMs = performance.now();
    const scrapes = await Promise.all(Array.from({ length: 20 }, () => node.metrics()));
    assert.ok(performance.now() - startedAtMs < 2 * SCRAPE_MS);
    for (const scrape of scrapes) assert.equal(scrape.sum("limpet_sessions_opened_total"), 1);
  }
});

test("promtool finds nothing to say about /metrics", async (t) => {
  const node = await startNode({ app: APP, workers: 2 }, t);
  await openPair(t, node);
  const text = await (await fetch(`${node.opsUrl}/metrics`)).text();
  assert.deepEqual(promtool(["check", "metrics"], text), { passed: true, output: "" });
  for (const { name, help, type } of metricCatalog) {
    assert.ok(text.includes(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`), `${name} has help and type`);
  }
});

/** Counters and histograms of the node, and those of the primary: a worker's own begin anew with its successor. */
function countersIn(scrape: Scrape): Map<string, number> {
  const counters = scrape.samples.filter(
    ({ name, labels }) =>
      /_(total|count|sum|bucket)$/.test(name) && (labels["worker"] === undefined || labels["worker"] === "primary"),
  );
  return new Map(counters.map(({ name, labels, value }) => [name + JSON.stringify(labels), value]));
}
