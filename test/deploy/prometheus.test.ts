import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { io, type ManagerOptions, type Socket } from "socket.io-client";
import { parse } from "yaml";
import { metricCatalog } from "../../src/telemetry/catalog.js";
import { startNode, type TestNode } from "../support/node.js";
import { startRedis } from "../support/redis.js";
import { waitFor } from "../support/wait.js";
import { expand, readDashboard } from "./dashboard.js";
import { startPrometheus, type Prometheus } from "./prometheus.js";
import { promtool } from "./promtool.js";

const RATE_WINDOW = "10s";
const rulesFile = path.resolve(import.meta.dirname, "../../deploy/prometheus/alerts.yml");

interface RulesFile {
  groups: { rules: { alert: string; expr: string }[] }[];
}

test("every panel and every alert has numbers on a real Prometheus that scrapes a real fleet under traffic", async (t) => {
  const redis = await startRedis(t);
  const [node, other] = await Promise.all([
    startNode({ workers: 2, args: ["--redis", redis.url] }, t),
    startNode({ workers: 1, args: ["--redis", redis.url] }, t),
  ]);
  makeTraffic(t, node);
  const target = `127.0.0.1:${node.opsPort}`;
  const targets = [target, `127.0.0.1:${other.opsPort}`].sort();
  const prometheus = await startPrometheus(t, targets);
  // From here a rate over the window has two samples with movement between them.
  await waitFor(
    async () => (await numbersOf(prometheus, `rate(limpet_handoff_seconds_count[${RATE_WINDOW}]) > 0`)).length > 0,
    {
      timeoutMs: 30_000,
      intervalMs: 500,
      message: "two scrapes",
    },
  );

  await t.test("each of the dashboard's queries returns a series with a number", async () => {
    const { panels } = readDashboard();
    const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
    assert.ok(queries.length >= 20);
    for (const { title, expr } of queries) {
      const numbers = await numbersOf(prometheus, expand(expr, RATE_WINDOW));
      assert.ok(numbers.length > 0, `${title}: ${expr}`);
    }
  });

  await t.test("a query for a metric that does not exist would fail this test", async () => {
    assert.deepEqual(await numbersOf(prometheus, 'sum(rate(limpet_no_such_total{instance=~".*"}[10s]))'), []);
    await assert.rejects(numbersOf(prometheus, "sum(rate(limpet_connections[10s])"), /parse error/);
  });

  await t.test("the panels show each worker and each transport that is in use", async () => {
    const shown = await prometheus.query("sum by (worker, transport) (limpet_connections) > 0");
    const transports = new Set(shown.map(({ metric }) => metric["transport"]));
    assert.deepEqual([...transports].sort(), ["polling", "websocket"]);
    assert.deepEqual([...new Set(shown.map(({ metric }) => metric["worker"]))].sort(), ["0", "1"]);
    const measured = await prometheus.query(`process_resident_memory_bytes{instance="${target}"}`);
    assert.deepEqual(measured.map(({ metric }) => metric["worker"]).sort(), ["0", "1", "primary"]);
  });

  await t.test("the variable `node` offers each node", async () => {
    const variable = readDashboard().templating.list.find(({ name }) => name === "node");
    const [, metric = "", label = ""] = /^label_values\((\w+), (\w+)\)$/.exec(variable?.definition ?? "") ?? [];
    const offered = (await prometheus.query(metric)).map((series) => series.metric[label]);
    assert.deepEqual(offered.sort(), targets);
  });

  await t.test(
    "each alert's expression speaks of series that exist, and none fires on a fleet that works",
    async () => {
      const { groups } = parse(readFileSync(rulesFile, "utf8")) as RulesFile;
      const rules = groups.flatMap((group) => group.rules);
      assert.ok(rules.length >= 8);
      for (const { alert, expr } of rules) {
        assert.deepEqual(await prometheus.query(expr), [], alert);
        const unbounded = expr.replace(/ (==|<|>) [\d.]+\s*$/, "");
        assert.notEqual(unbounded, expr, `${alert} compares with a number`);
        assert.ok((await prometheus.query(unbounded)).length > 0, `${alert}: ${unbounded}`);
      }
      const evaluated = await waitFor(
        async () => {
          const states = await prometheus.rules();
          return states.length > 0 && states.every(({ health }) => health !== "unknown") && states;
        },
        { message: "the rules to be evaluated" },
      );
      assert.deepEqual(
        (evaluated || []).map(({ name, health }) => [name, health]),
        rules.map(({ alert }) => [alert, "ok"]),
      );
    },
  );

  await t.test("the panels show both nodes and that each is on the bus", async () => {
    const up = await prometheus.query("limpet_bus_up");
    assert.deepEqual(
      up.map(({ metric, value }) => [metric["instance"], value[1]]).sort(),
      targets.map((name) => [name, "1"]),
    );
    assert.equal((await prometheus.query("sum(1 - limpet_bus_up)"))[0]?.value[1], "0");
  });

  await t.test("every metric of the catalog is exported with its type, and promtool finds nothing to say", async () => {
    const text = await (await fetch(`${node.opsUrl}/metrics`)).text();
    for (const { name, type } of metricCatalog) assert.match(text, new RegExp(`^# TYPE ${name} ${type}$`, "m"));
    const { passed, output } = promtool(["check", "metrics"], text);
    assert.ok(passed, output);
  });
});

/** The finite values of the query's series. */
async function numbersOf(prometheus: Prometheus, expression: string): Promise<number[]> {
  const series = await prometheus.query(expression);
  return series.map(({ value }) => Number(value[1])).filter((value) => Number.isFinite(value));
}

/** Some clients of each transport that stay, and one that comes and goes, until the test ends. */
function makeTraffic(t: TestContext, node: TestNode): void {
  const connect = (transports: NonNullable<ManagerOptions["transports"]>): Socket => {
    const socket = io(node.url, { transports, forceNew: true });
    t.after(() => socket.disconnect());
    return socket;
  };
  for (const transports of [["polling"], ["polling"], ["websocket"], ["polling", "websocket"]]) connect(transports);
  const restless = connect(["websocket"]);
  const timer = setInterval(() => restless.disconnect().connect(), 300);
  t.after(() => clearInterval(timer));
}

test("a node without Redis has no series of the bus, and no alert of it", async (t) => {
  const node = await startNode({ workers: 1 }, t);
  const text = await (await fetch(`${node.opsUrl}/metrics`)).text();
  for (const name of ["limpet_bus_up", "limpet_bus_lag_seconds", "limpet_bus_outbox_bytes"]) {
    assert.match(text, new RegExp(`^# TYPE ${name} gauge$`, "m"));
    assert.doesNotMatch(text, new RegExp(`^${name}\\b`, "m"));
  }
  const { passed, output } = promtool(["check", "metrics"], text);
  assert.ok(passed, output);
  const prometheus = await startPrometheus(t, [`127.0.0.1:${node.opsPort}`]);
  assert.deepEqual(await prometheus.query("limpet_bus_up"), []);
});
