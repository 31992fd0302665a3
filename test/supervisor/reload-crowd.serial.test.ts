/** A reload under a large crowd: each client is sent away once, at the set rate, and comes back without meeting an error. */
import assert from "node:assert/strict";
import { loadavg } from "node:os";
import test from "node:test";
import { startNode } from "../support/node.js";
import { Crowd } from "./reload-crowd/crowd.js";
import type { Failure } from "./reload-crowd/messages.js";

const CLIENTS = 2_000;
const WORKERS = 4;
const PER_SECOND = 200;
const IN_MS = 180_000;
const RELOAD_MS = 180_000;
const BACK_MS = 120_000;

/** A crowded machine must not be what ends a session, nor a heartbeat what a poll is answered with. */
const PATIENT = {
  LIMPET_SOCKETIO_PING_INTERVAL: "240000",
  LIMPET_SOCKETIO_PING_TIMEOUT: "240000",
  LIMPET_SOCKETIO_CONNECT_TIMEOUT: "240000",
};

/** The most that fell into a time of this length. */
function mostWithin(timesMs: readonly number[], windowMs: number): number {
  const sorted = [...timesMs].sort((a, b) => a - b);
  let [most, first] = [0, 0];
  for (const [last, atMs] of sorted.entries()) {
    while (atMs - (sorted[first] ?? atMs) >= windowMs) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

const at = (sorted: readonly number[], share: number): string =>
  ((sorted[Math.floor((sorted.length - 1) * share)] ?? NaN) / 1_000).toFixed(1);

test(`a reload of ${WORKERS} workers under ${CLIENTS} clients: nobody is dropped twice, reconnects keep the set rate, no polling request fails`, async (t) => {
  const node = await startNode(
    {
      app: "test/supervisor/app.ts",
      workers: WORKERS,
      args: ["--recovery"],
      env: { LIMPET_DRAIN_PER_SECOND: String(PER_SECOND), ...PATIENT },
    },
    t,
  );
  const crowd = new Crowd(t, { port: node.port, count: CLIENTS }, 2);
  const startedAtMs = performance.now();
  await crowd.until(({ connected }) => connected === CLIENTS, "all clients", IN_MS);
  const inMs = performance.now() - startedAtMs;
  assert.equal(crowd.status.drops, 0);

  node.signal("SIGHUP");
  await node.waitForLog(({ msg }) => msg === "reload: done", RELOAD_MS);
  const isBack = ({ connected, drops }: typeof crowd.status): boolean => drops >= CLIENTS && connected === CLIENTS;
  await crowd.until(isBack, "all clients to be back", BACK_MS);
  const reloadMs = performance.now() - startedAtMs - inMs;
  const { clients, maxLateMs } = await crowd.report();

  const failures = clients.flatMap((client) => client.failures);
  const drops = clients.flatMap(({ dropsMs }) => dropsMs);
  const returns = clients.flatMap(({ returnsMs }) => returnsMs);
  const away = clients.flatMap(({ awayMs }) => awayMs).sort((a, b) => a - b);
  const recovered = clients.reduce((sum, client) => sum + client.recovered, 0);
  t.diagnostic(
    `load average ${loadavg()[0]?.toFixed(1)}, timers of the clients ${maxLateMs.toFixed(0)} ms late at most`,
  );
  t.diagnostic(`all in after ${(inMs / 1_000).toFixed(1)} s, the reload took ${(reloadMs / 1_000).toFixed(1)} s`);
  const rate = (timesMs: readonly number[]): string =>
    `${mostWithin(timesMs, 1_000)} in the busiest second, ${mostWithin(timesMs, 5_000) / 5}/s in the busiest 5 s`;
  t.diagnostic(`set rate ${PER_SECOND}/s; sent away: ${rate(drops)}; tried to come back: ${rate(returns)}`);
  t.diagnostic(`recovered ${recovered} of ${CLIENTS}, away for ${at(away, 0.5)} s (p50), ${at(away, 0.99)} s (p99)`);
  t.diagnostic(`answers other than 2xx: ${JSON.stringify(tally(failures))}`);

  const restless = clients.filter((client) => client.dropsMs.length !== 1 || !client.connected);
  assert.deepEqual(restless.slice(0, 3), [], `${restless.length} clients were not sent away once, and back`);
  assert.equal(recovered, CLIENTS);
  assert.equal(await node.metric("limpet_connections"), CLIENTS, "no session was left behind");

  // How a polling client is sent away, once; and how one that would begin is told to wait. All else is an error.
  const dismissed = clients.map((client) => client.failures.filter(isDismissal).length);
  assert.deepEqual(
    clients.filter(({ transport }, i) => dismissed[i] !== (transport === "polling" ? 1 : 0)).slice(0, 3),
    [],
  );
  const errors = failures.filter((failure) => !isDismissal(failure) && !isRefusal(failure));
  assert.deepEqual(errors.slice(0, 10), [], `${errors.length} requests failed`);

  // What a process of clients was too late to see one by one, it saw together.
  const allowed = (windowMs: number): number => (PER_SECOND * (windowMs + maxLateMs)) / 1_000;
  for (const windowMs of [1_000, 5_000]) {
    assert.ok(mostWithin(drops, windowMs) <= allowed(windowMs), `clients were sent away at ${rate(drops)}`);
    assert.ok(mostWithin(returns, windowMs) <= allowed(windowMs), `reconnects came at ${rate(returns)}`);
  }
});

const isUnavailable = ({ outcome, retryAfter }: Failure): boolean => outcome === 503 && retryAfter !== undefined;
const isDismissal = (failure: Failure): boolean => failure.what === "poll" && isUnavailable(failure);
const isRefusal = (failure: Failure): boolean =>
  (failure.what === "handshake" || failure.what === "upgrade") && isUnavailable(failure);

function tally(failures: readonly Failure[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { what, outcome } of failures) counts[`${what} ${outcome}`] = (counts[`${what} ${outcome}`] ?? 0) + 1;
  return counts;
}
