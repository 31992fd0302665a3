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

test("a metric of the app that throws is counted and told once, and costs limpet's own metrics nothing", async (t) => {
  const told: unknown[] = [];
  const worker = createWorkerMetrics({ onAppError: (error) => told.push(error) });
  t.after(() => worker.stop());
  let broken = false;
  const failure = new Error("no database");
  createAppMetrics(worker.registry).gauge({
    name: "app_rows",
    help: "x",
    collect() {
      if (broken) throw failure;
      this.set(42);
    },
  });
  await worker.snapshot();
  broken = true;
  for (let opened = 1; opened <= 2; opened++) {
    worker.sessionsOpened.inc();
    const snapshot = await worker.snapshot();
    assert.equal(snapshot.find(({ name }) => name === "limpet_sessions_opened_total")?.values[0]?.value, opened);
    assert.equal(snapshot.find(({ name }) => name === "app_rows")?.values[0]?.value, 42, "its last value stays");
  }
  assert.deepEqual(told, [failure]);
  broken = false;
  const [counted] = (await worker.snapshot()).filter(({ name }) => name === "limpet_app_errors_total");
  assert.equal(counted?.values[0]?.value, 2);
  broken = true;
  await worker.snapshot();
  assert.deepEqual(told, [failure, failure], "told again after it had worked");
});

test("a metric of the app that never ends does not hold up limpet's own, and is not asked twice at a time", async (t) => {
  const worker = createWorkerMetrics();
  t.after(() => worker.stop());
  let asked = 0;
  createAppMetrics(worker.registry).gauge({
    name: "app_slow",
    help: "x",
    collect: () => {
      asked++;
      return new Promise(() => {});
    },
  });
  // What waits in it does not keep the process alive.
  const alive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(alive));
  for (let round = 0; round < 3; round++) {
    const snapshot = await worker.snapshot();
    assert.ok(snapshot.some(({ name }) => name === "limpet_sessions_opened_total"));
  }
  assert.equal(asked, 1);
});
