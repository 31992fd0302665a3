import assert from "node:assert/strict";
import { loadavg } from "node:os";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { Crowd } from "./crowd.js";
import type { CrowdReport } from "./messages.js";
import { Probes } from "./probe.js";

const APP = "test/storm/app.ts";
const WORKERS = 2;
const CLIENTS = 5_000;
/** Most by WebSocket alone: clients cost more than the gateway, and polls many times that. */
const CROWDS = [
  { share: 0.3, transports: ["websocket"] },
  { share: 0.3, transports: ["websocket"] },
  { share: 0.3, transports: ["websocket"] },
  { share: 0.1, transports: ["polling", "websocket"] },
] as const;
const PROBES = 20;
const BASELINE_MS = 4_000;
const BUDGET = 500;
const P99_MS = 200;
/** A process of clients that gets no processor is late with everything: that is not what this test is about. */
const PATIENT = {
  LIMPET_FRONT_REQUEST_LINE_TIMEOUT_MS: "240000",
  LIMPET_HTTP_HEADERS_TIMEOUT_MS: "240000",
  LIMPET_HTTP_REQUEST_TIMEOUT_MS: "240000",
  LIMPET_SOCKETIO_UPGRADE_TIMEOUT: "240000",
  LIMPET_SOCKETIO_CONNECT_TIMEOUT: "240000",
  LIMPET_SOCKETIO_PING_TIMEOUT: "240000",
};
/** A machine on which an answer takes long without a storm, too, may take so much longer with one. */
const CROWDED_FACTOR = 4;

interface Storm {
  readonly reports: readonly CrowdReport[];
  readonly baseline: ReturnType<Probes["take"]>;
  readonly during: ReturnType<Probes["take"]>;
  readonly probes: Probes;
  readonly tookMs: number;
}

async function storm(t: test.TestContext, node: TestNode, clients: number): Promise<Storm> {
  const crowds = await Promise.all(
    CROWDS.map(({ share, transports }) =>
      Crowd.start(t, { url: node.url, count: clients * share, reconnectionDelayMaxMs: 5_000, transports }),
    ),
  );
  const probes = await Probes.start(t, node.url, PROBES);
  await delay(1_000);
  probes.take();
  await delay(BASELINE_MS);
  const baseline = probes.take();
  const startedAtMs = performance.now();
  for (const crowd of crowds) crowd.connect();
  let reports: CrowdReport[] = [];
  await waitFor(
    async () => {
      reports = await Promise.all(crowds.map((crowd) => crowd.report()));
      return reports.reduce((sum, { connected }) => sum + connected, 0) === clients;
    },
    {
      timeoutMs: 240_000,
      intervalMs: 250,
      message: () => `all clients; there were ${reports.map(({ connected }) => connected).join(" and ")}`,
    },
  );
  const tookMs = performance.now() - startedAtMs;
  return { reports, baseline, during: probes.take(), probes, tookMs };
}

const show = ({ p50, p99, max }: ReturnType<Probes["take"]>): string =>
  `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms`;

test(`${CLIENTS} clients at once, ${BUDGET} new sessions a second: those who are in are served, and all get in`, async (t) => {
  const env = { LIMPET_ACCESS_HANDSHAKES_PER_SECOND: String(BUDGET / WORKERS), ...PATIENT };
  const node = await startNode({ app: APP, workers: WORKERS, env }, t);
  const { reports, baseline, during, probes, tookMs } = await storm(t, node, CLIENTS);
  const refusals = sum(reports.map((report) => report.refusals));
  const byFront = (await node.metrics())
    .find("limpet_front_refusals_total")
    .filter(({ value }) => value > 0)
    .map(({ labels, value }) => `${labels["reason"]} ${value}`);
  const inAfterMs = reports.flatMap((report) => report.inAfterMs).sort((a, b) => a - b);
  const at = (share: number): string =>
    ((inAfterMs[Math.floor((inAfterMs.length - 1) * share)] ?? 0) / 1_000).toFixed(1);
  t.diagnostic(`load average ${loadavg()[0]?.toFixed(1)}`);
  t.diagnostic(`round trips of ${PROBES} clients before: ${show(baseline)}; during: ${show(during)} (${during.count})`);
  t.diagnostic(`all in after ${(tookMs / 1_000).toFixed(1)} s (half ${at(0.5)} s, 90 % ${at(0.9)} s, last ${at(1)} s)`);
  const errors = reports.map((report) => report.errors);
  const disconnects = reports.flatMap((report) => report.disconnects);
  t.diagnostic(
    `refused: ${JSON.stringify(refusals)}; by the front: ${byFront.join(", ")}; errors: ${JSON.stringify(errors)}`,
  );

  assert.equal(inAfterMs.length, CLIENTS);
  assert.deepEqual([during.lost, probes.disconnects], [0, 0], "those who were in lost nothing");
  assert.deepEqual(disconnects, [], "nobody who was let in was sent away");
  assert.deepEqual(
    errors.filter((record) => Object.keys(record).length > 0),
    [],
    "nobody was left without an answer",
  );
  assert.deepEqual(
    Object.keys(refusals).filter((status) => status !== "503"),
    [],
    "no answer but the announced one",
  );
  assert.ok((refusals[503] ?? 0) > 0, "the budget was reached");
  const inFirstSeconds = inAfterMs.filter((ms) => ms < 3_000).length;
  assert.ok(inFirstSeconds <= BUDGET * 3 * 1.3, `${inFirstSeconds} were let in within 3 s`);
  const boundMs = Math.max(P99_MS, CROWDED_FACTOR * baseline.p99);
  assert.ok(during.p99 < boundMs, `p99 ${during.p99.toFixed(0)} ms, the bound ${boundMs.toFixed(0)} ms`);
});

function sum(records: readonly Readonly<Record<number, number>>[]): Record<number, number> {
  const total: Record<number, number> = {};
  for (const record of records)
    for (const [status, count] of Object.entries(record)) total[Number(status)] = (total[Number(status)] ?? 0) + count;
  return total;
}
