import assert from "node:assert/strict";
import test from "node:test";
import type { AppMetrics } from "../../src/apps/contract.js";
import { createAppMetrics } from "../../src/telemetry/app-metrics.js";
import { NodeMetrics, type MetricSnapshot } from "../../src/telemetry/node-metrics.js";
import { createWorkerMetrics } from "../../src/telemetry/worker-metrics.js";

test("an app's metrics are summed over the workers, gauges too", async (t) => {
  const node = new NodeMetrics();
  for (const slot of [0, 1]) {
    const worker = createWorkerMetrics();
    t.after(() => worker.stop());
    const app: AppMetrics = createAppMetrics(worker.registry);
    app
      .counter({ name: "chat_images_total", help: "Images sent.", labelNames: ["kind"] })
      .inc({ kind: "png" }, slot + 1);
    app.gauge({ name: "chat_games", help: "Games that are played." }).set(10);
    app.histogram({ name: "chat_wait_seconds", help: "Waits.", buckets: [1] }).observe(0.5);
    node.update({ slot, incarnation: slot }, JSON.parse(JSON.stringify(await worker.snapshot())) as MetricSnapshot[]);
  }
  const text = await node.render([]);
  assert.match(text, /^chat_images_total\{kind="png"\} 3$/m);
  assert.match(text, /^chat_games 20$/m);
  assert.match(text, /^chat_wait_seconds_bucket\{le="1"\} 2$/m);
  assert.match(text, /^chat_wait_seconds_count 2$/m);
});

test("names that are limpet's or Node's are refused", (t) => {
  const worker = createWorkerMetrics();
  t.after(() => worker.stop());
  const app = createAppMetrics(worker.registry);
  for (const name of ["limpet_mine", "process_mine", "nodejs_mine"]) {
    assert.throws(
      () => app.counter({ name, help: "x" }),
      /begins with (limpet|process|nodejs)_, which is not for the app/,
    );
    assert.throws(() => app.gauge({ name, help: "x" }), /not for the app/);
    assert.throws(() => app.histogram({ name, help: "x" }), /not for the app/);
  }
  app.counter({ name: "my_limpet_total", help: "x" });
  assert.throws(() => app.counter({ name: "my_limpet_total", help: "x" }), /already been registered/);
});
