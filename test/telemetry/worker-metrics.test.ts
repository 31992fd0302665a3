import assert from "node:assert/strict";
import test from "node:test";
import { workerCatalog } from "../../src/telemetry/catalog.js";
import type { MetricSnapshot } from "../../src/telemetry/node-metrics.js";
import { createPrimaryMetrics } from "../../src/telemetry/primary-metrics.js";
import {
  closeReasonOf,
  createWorkerMetrics,
  handshakeErrorOf,
  type WorkerMetrics,
} from "../../src/telemetry/worker-metrics.js";

function valueOf(snapshot: readonly MetricSnapshot[], name: string, labels: Record<string, string> = {}) {
  const metric = snapshot.find((candidate) => candidate.name === name);
  return metric?.values.find((value) => Object.entries(labels).every(([label, is]) => value.labels[label] === is))
    ?.value;
}

test("every bounded label combination is 0 before anything has happened", async (t) => {
  const metrics = createWorkerMetrics();
  t.after(() => metrics.stop());
  const snapshot = await metrics.snapshot();
  for (const { name, labels } of Object.values(workerCatalog)) {
    const combinations = Object.values(labels).reduce((product, values) => product * values.length, 1);
    const values = snapshot.find((metric) => metric.name === name)?.values ?? [];
    assert.equal(values.length, combinations, name);
    assert.ok(
      values.every(({ value }) => value === 0),
      name,
    );
  }
});

test("the tally's plain numbers are what is collected", async (t) => {
  const metrics = createWorkerMetrics();
  t.after(() => metrics.stop());
  metrics.tally.messagesReceived += 2;
  metrics.tally.bytesReceived += 300;
  metrics.tally.messagesSent++;
  metrics.tally.bytesSent += 7;
  await metrics.snapshot();
  metrics.tally.messagesSent++;
  const snapshot = await metrics.snapshot();
  assert.equal(valueOf(snapshot, "limpet_messages_received_total"), 2);
  assert.equal(valueOf(snapshot, "limpet_bytes_received_total"), 300);
  assert.equal(valueOf(snapshot, "limpet_messages_sent_total"), 2);
  assert.equal(valueOf(snapshot, "limpet_bytes_sent_total"), 7);
});

test("Engine.IO's reasons and codes become label values, and unknown ones `other`", () => {
  assert.equal(closeReasonOf("transport close"), "transport_close");
  assert.equal(closeReasonOf("ping timeout"), "ping_timeout");
  assert.equal(closeReasonOf("ping_timeout"), "other");
  assert.equal(closeReasonOf("constructor"), "other");
  assert.deepEqual([0, 1, 2, 3, 4, 5].map(handshakeErrorOf), [
    "unknown_transport",
    "unknown_sid",
    "bad_handshake_method",
    "bad_request",
    "forbidden",
    "unsupported_protocol_version",
  ]);
  assert.equal(handshakeErrorOf(6), "other");
  assert.equal(handshakeErrorOf(99), "other");
  assert.equal(handshakeErrorOf(-1), "other");
});

/** For the type check, and never run: what is outside the bounded sets does not compile. */
export function labelsAreBounded(metrics: WorkerMetrics): void {
  // @ts-expect-error no such reason
  metrics.sessionsClosed.inc({ reason: "user-42" });
  // @ts-expect-error a label is missing
  metrics.rescues.inc({ target: "worker" });
  // @ts-expect-error labels are required
  metrics.upgrades.inc();
}

test("a state without workers is shown as 0", async (t) => {
  const metrics = createPrimaryMetrics({ version: "1.2.3" });
  metrics.setNode(7);
  t.after(() => metrics.stop());
  metrics.setWorkers({ ready: 2, draining: 1 });
  metrics.setWorkers({ ready: 3 });
  const snapshot = await metrics.snapshot();
  assert.equal(valueOf(snapshot, "limpet_workers", { state: "ready" }), 3);
  assert.equal(valueOf(snapshot, "limpet_workers", { state: "draining" }), 0);
  assert.equal(valueOf(snapshot, "limpet_build_info", { version: "1.2.3", node: "7" }), 1);
});

test("both processes measure their event loop and Node's own metrics", async (t) => {
  const worker = createWorkerMetrics();
  const primary = createPrimaryMetrics({ version: "1" });
  t.after(() => worker.stop());
  t.after(() => primary.stop());
  for (const metrics of [worker, primary]) {
    metrics.loopLag.tick();
    const snapshot = await metrics.snapshot();
    const samples = snapshot
      .find(({ name }) => name === "limpet_event_loop_lag_seconds")
      ?.values.find(({ metricName }) => metricName === "limpet_event_loop_lag_seconds_count");
    assert.ok((samples?.value ?? 0) >= 1);
    assert.ok((valueOf(snapshot, "process_resident_memory_bytes") ?? 0) > 0);
  }
});
