import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { NodeMetrics, type MetricSnapshot } from "../../src/telemetry/node-metrics.js";
import { createPrimaryMetrics } from "../../src/telemetry/primary-metrics.js";
import { createWorkerMetrics, type WorkerMetrics } from "../../src/telemetry/worker-metrics.js";
import { promtool } from "../deploy/promtool.js";

function startWorker(t: TestContext): WorkerMetrics {
  const metrics = createWorkerMetrics();
  t.after(() => metrics.stop());
  return metrics;
}

/** The snapshot as the primary gets it: through JSON. */
async function told(metrics: WorkerMetrics): Promise<MetricSnapshot[]> {
  return JSON.parse(JSON.stringify(await metrics.snapshot())) as MetricSnapshot[];
}

/** The value of the series that is written so, for example `limpet_workers{state="ready"}`. */
function read(text: string, series: string): number | undefined {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test("counters and histograms are summed over the workers", async (t) => {
  const node = new NodeMetrics();
  for (const slot of [0, 1, 2]) {
    const worker = startWorker(t);
    worker.sessionsOpened.inc(slot + 1);
    worker.sessionsClosed.inc({ reason: "ping_timeout" });
    node.update({ slot, incarnation: slot }, await told(worker));
  }
  const text = await node.render([]);
  assert.equal(read(text, "limpet_sessions_opened_total"), 6);
  assert.equal(read(text, 'limpet_sessions_closed_total{reason="ping_timeout"}'), 3);
});

test("what a process measures of itself carries the worker's slot, and `primary` for the primary", async (t) => {
  const node = new NodeMetrics();
  const primary = createPrimaryMetrics({ version: "1" });
  t.after(() => primary.stop());
  const worker = startWorker(t);
  worker.connections.set({ transport: "websocket" }, 12);
  worker.loopLag.tick();
  primary.setWorkers({ ready: 1 });
  node.update({ slot: 4, incarnation: 9 }, await told(worker));
  const text = await node.render(await primary.snapshot());
  assert.equal(read(text, 'limpet_connections{transport="websocket",worker="4"}'), 12);
  assert.ok((read(text, 'process_resident_memory_bytes{worker="4"}') ?? 0) > 0);
  assert.ok((read(text, 'process_resident_memory_bytes{worker="primary"}') ?? 0) > 0);
  assert.ok((read(text, 'limpet_event_loop_lag_seconds_count{worker="4"}') ?? 0) >= 1);
  assert.equal(read(text, 'limpet_workers{state="ready"}'), 1, "the node's own facts are of no worker");
});

test("counts of the same name from workers and primary make one sum", async (t) => {
  const node = new NodeMetrics();
  const primary = createPrimaryMetrics({ version: "1" });
  t.after(() => primary.stop());
  const worker = startWorker(t);
  primary.hubMessages.inc({ outcome: "dropped" }, 2);
  worker.hubMessages.inc({ outcome: "dropped" }, 3);
  node.update({ slot: 0, incarnation: 1 }, await told(worker));
  const text = await node.render(await primary.snapshot());
  assert.equal(read(text, 'limpet_hub_messages_total{outcome="dropped"}'), 5);
});

test("a worker reports by itself what must outlive it, where that has changed, and keeps what else it last said", async (t) => {
  const node = new NodeMetrics();
  const worker = startWorker(t);
  const identity = { slot: 0, incarnation: 1 };
  node.update(identity, await told(worker));
  assert.ok(await worker.changes(), "the first report holds everything");
  assert.equal(await worker.changes(), undefined);
  worker.loopLag.tick();
  assert.equal(await worker.changes(), undefined, "what only says something of the process is nothing to report");
  worker.sessionsOpened.inc(3);
  worker.tally.messagesSent += 7;
  const changed = await worker.changes();
  assert.ok(changed !== undefined);
  node.merge(identity, changed);
  const live = await node.render([]);
  assert.equal(read(live, "limpet_sessions_opened_total"), 3);
  assert.ok((read(live, 'process_resident_memory_bytes{worker="0"}') ?? 0) > 0);
  node.retire(1);
  node.merge(identity, changed);
  const after = await node.render([]);
  assert.equal(read(after, "limpet_sessions_opened_total"), 3);
  assert.equal(read(after, "limpet_messages_sent_total"), 7);
});

test("a worker that ended stays counted, its gauges do not", async (t) => {
  const node = new NodeMetrics();
  const worker = startWorker(t);
  worker.sessionsOpened.inc(5);
  worker.connections.set({ transport: "polling" }, 5);
  node.update({ slot: 0, incarnation: 1 }, await told(worker));
  node.retire(1);
  node.retire(1);
  const text = await node.render([]);
  assert.equal(read(text, "limpet_sessions_opened_total"), 5);
  assert.doesNotMatch(text, /limpet_connections\{/);
  assert.doesNotMatch(text, /process_resident_memory_bytes\{/);
});

test("a late snapshot of a worker that ended is not counted twice", async (t) => {
  const node = new NodeMetrics();
  const worker = startWorker(t);
  worker.sessionsOpened.inc(5);
  node.update({ slot: 0, incarnation: 1 }, await told(worker));
  node.retire(1);
  node.update({ slot: 0, incarnation: 1 }, await told(worker));
  node.retire(1);
  assert.equal(read(await node.render([]), "limpet_sessions_opened_total"), 5);
});

test("a worker that has nothing new to say keeps what it said last", async (t) => {
  const node = new NodeMetrics();
  const [busy, idle] = [startWorker(t), startWorker(t)];
  busy.sessionsOpened.inc(5);
  node.update({ slot: 0, incarnation: 1 }, await told(busy));
  for (let round = 1; round <= 3; round++) {
    idle.sessionsOpened.inc();
    node.update({ slot: 1, incarnation: 2 }, await told(idle));
    assert.equal(read(await node.render([]), "limpet_sessions_opened_total"), 5 + round);
  }
});

test("while two workers share a slot, its series are the newer one's and appear once", async (t) => {
  const node = new NodeMetrics();
  const [old, fresh] = [startWorker(t), startWorker(t)];
  old.connections.set({ transport: "polling" }, 7);
  old.sessionsOpened.inc(7);
  fresh.connections.set({ transport: "polling" }, 1);
  fresh.sessionsOpened.inc(1);
  node.update({ slot: 0, incarnation: 1 }, await told(old));
  node.update({ slot: 0, incarnation: 2 }, await told(fresh));
  node.update({ slot: 0, incarnation: 1 }, await told(old));
  const text = await node.render([]);
  assert.equal(text.match(/^limpet_connections\{transport="polling",worker="0"\} /gm)?.length, 1);
  assert.equal(read(text, 'limpet_connections{transport="polling",worker="0"}'), 1);
  assert.equal(read(text, "limpet_sessions_opened_total"), 8);
});

test("what JSON cannot hold is left out, not shown as 0", async () => {
  const node = new NodeMetrics();
  const gauge = { name: "app_ratio", help: "x", type: "gauge", aggregator: "sum" } as const;
  node.update({ slot: 0, incarnation: 1 }, [
    {
      ...gauge,
      values: [
        { value: null, labels: { of: "a" } },
        { value: 3, labels: { of: "b" } },
      ],
    },
  ]);
  const text = await node.render([]);
  assert.doesNotMatch(text, /of="a"/);
  assert.equal(read(text, 'app_ratio{of="b"}'), 3);
});

test("promtool finds nothing to say against the metrics of a whole node", async (t) => {
  const node = new NodeMetrics();
  const primary = createPrimaryMetrics({ version: '1.0.0-"odd\\' });
  primary.setNode(0);
  t.after(() => primary.stop());
  primary.hubQueueBytes.set({ worker: "0" }, 1);
  primary.handoffSeconds.observe(0.003);
  for (const incarnation of [1, 2, 3]) {
    const worker = startWorker(t);
    worker.rescues.inc({ target: "worker", outcome: "forwarded" });
    node.update({ slot: incarnation % 2, incarnation }, await told(worker));
  }
  node.retire(1);
  const { passed, output } = promtool(["check", "metrics"], await node.render(await primary.snapshot()));
  assert.ok(passed, output);
  assert.equal(output, "");
});

test("promtool does object to metrics that are wrong", () => {
  assert.equal(promtool(["check", "metrics"], "limpet_x 1\nlimpet_x 2\n").passed, false);
});

test("through any order of snapshots and ends, sums are exact and never go down", async (t) => {
  const random = generator(20_231);
  const node = new NodeMetrics();
  const [worker] = [startWorker(t)];
  const template = await told(worker);
  const live = new Map<number, { slot: number; counted: number }>();
  let nextIncarnation = 1;
  let total = 0;
  let last = 0;
  for (let step = 0; step < 400; step++) {
    const choice = random();
    const [incarnation, state] = [...live][Math.floor(random() * live.size)] ?? [];
    if (choice < 0.2 || incarnation === undefined || state === undefined) {
      live.set(nextIncarnation++, { slot: Math.floor(random() * 4), counted: 0 });
    } else if (choice < 0.3) {
      node.retire(incarnation);
      live.delete(incarnation);
      if (random() < 0.5) node.update({ slot: state.slot, incarnation }, snapshotOf(template, state.counted + 1_000));
    } else {
      const added = Math.floor(random() * 10);
      state.counted += added;
      total += added;
      node.update({ slot: state.slot, incarnation }, snapshotOf(template, state.counted));
    }
    const sum = read(await node.render([]), "limpet_sessions_opened_total") ?? 0;
    assert.equal(sum, total, `step ${step}`);
    assert.ok(sum >= last, `step ${step}`);
    last = sum;
  }
  assert.ok(last > 500);
  assert.ok(nextIncarnation > 20);
});

/** A worker's snapshot in which so many sessions were opened. */
function snapshotOf(template: readonly MetricSnapshot[], opened: number): MetricSnapshot[] {
  return template
    .filter(({ name }) => name.startsWith("limpet_sessions"))
    .map((metric) =>
      metric.name === "limpet_sessions_opened_total" ? { ...metric, values: [{ value: opened, labels: {} }] } : metric,
    );
}

/** The same numbers in each run (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
