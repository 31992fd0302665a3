import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { parse } from "yaml";
import type { Config } from "../../src/config/config.js";
import { freePort } from "../support/free-port.js";
import { root, startNode } from "../support/node.js";
import { readDashboard } from "./dashboard.js";
import { promtool } from "./promtool.js";
import { tool } from "./tool.js";

const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

interface ComposeService {
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly expose?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly stop_grace_period?: string;
  readonly healthcheck: { readonly test: readonly string[] };
}

const { services } = parse(read("deploy/compose.yml"), { merge: true }) as { services: Record<string, ComposeService> };
const nodes = Object.entries(services).filter(([, { environment }]) => environment?.["LIMPET_NODE_ID"] !== undefined);

/** The lines of a Dockerfile that begin with the instruction, continuation lines joined. */
function instructions(name: string): string[] {
  const lines = read("deploy/Dockerfile").replaceAll("\\\n", " ").split("\n");
  return lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1).trim());
}

test("docker-compose takes the compose file as it is", () => {
  const { status, stderr } = spawnSync(tool("docker-compose"), ["-f", "deploy/compose.yml", "config", "--quiet"], {
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
});

test("every file and folder that a service mounts is there, and mounted read-only", () => {
  const mounts = Object.values(services).flatMap(({ volumes = [] }) => volumes);
  const fromHere = mounts.filter((mount) => mount.startsWith("."));
  assert.ok(fromHere.length >= 4);
  for (const mount of fromHere) {
    const [source = "", , mode] = mount.split(":");
    assert.ok(existsSync(path.join(root, "deploy", source)), source);
    assert.equal(mode, "ro", mount);
  }
});

test("only nginx is published to other machines, and every service has a health check", () => {
  for (const [name, { ports = [], healthcheck }] of Object.entries(services)) {
    assert.ok(healthcheck.test.length > 1, name);
    if (name !== "nginx") for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name);
  }
});

test("nginx listens where the compose file publishes it, asks each node under its id, and waits for all of them", () => {
  const config = read("deploy/nginx/limpet.conf");
  const { ports = [], depends_on: waitsFor = {} } = services["nginx"] ?? {};
  const port = ports[0]?.split(":").at(-1) ?? "";
  assert.match(config, new RegExp(`^\\s*listen (\\S+:)?${port}( |;)`, "m"));
  const asked = [...config.matchAll(/^upstream limpet_node_(\d+) \{ server ([^;]+); \}$/gm)];
  assert.deepEqual(
    asked.map(([, id, address]) => [id, address]),
    nodes.map(([name, { environment }]) => [environment?.["LIMPET_NODE_ID"], `${name}:3000`]),
  );
  assert.deepEqual(
    Object.keys(waitsFor),
    nodes.map(([name]) => name),
  );
});

test("three nodes of one fleet run with what the compose file gives them, under ids and names of their own", () => {
  assert.equal(nodes.length, 3);
  const inForce = nodes.map(([name, { environment = {}, stop_grace_period: grace = "" }]) => {
    const given = Object.entries(environment).map(([key, value]) => [key, value.replace(/\$\{\w+:-(.*)\}/, "$1")]);
    const env = { PATH: process.env["PATH"], ...(Object.fromEntries(given) as Record<string, string>) };
    const args = [path.join(root, "dist/cli/main.js"), "check", "--json"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const { config } = JSON.parse(stdout) as { config: Config };
    assert.equal(config.advertise, name);
    assert.match(
      environment["LIMPET_FLEET_SECRET"] ?? "",
      /^\$\{LIMPET_FLEET_SECRET:-\}$/,
      "no secret stands in the file",
    );
    // Behind the workers come the lease and the outbox, with two seconds each.
    const stopMs = config.drain.deadlineMs + config.supervisor.stopTimeoutMs + 4_000;
    assert.ok(Number.parseInt(grace, 10) * 1_000 >= stopMs, grace);
    return config;
  });
  assert.equal(new Set(inForce.map(({ nodeId }) => nodeId)).size, 3);
  assert.deepEqual([...new Set(inForce.map(({ redis }) => redis.url))], ["redis://redis:6379"]);
  assert.ok(services["redis"]);
  const [pools = 0] = inForce.map(({ workers }) => 2 * workers);
  assert.equal(read("deploy/nginx/limpet.conf").match(/^upstream limpet_1_/gm)?.length, pools);
});

test("promtool takes the Prometheus configuration and its rules", () => {
  for (const args of [
    ["check", "config", "deploy/prometheus/prometheus.yml"],
    ["check", "rules", "deploy/prometheus/alerts.yml"],
  ]) {
    const { passed, output } = promtool(args.map((arg) => (arg.includes("/") ? path.join(root, arg) : arg)));
    assert.ok(passed, output);
  }
});

test("each alert fires on the trouble it is for, and none on a node that works", () => {
  const { passed, output } = promtool(["test", "rules", path.join(import.meta.dirname, "alerts.test.yml")]);
  assert.ok(passed, output);
  const { groups } = parse(read("deploy/prometheus/alerts.yml")) as { groups: { rules: { alert: string }[] }[] };
  const tested = read("test/deploy/alerts.test.yml");
  for (const { alert } of groups.flatMap(({ rules }) => rules))
    assert.ok(tested.includes(`alertname="${alert}"`), alert);
});

test("Prometheus scrapes the ops port of every node, and Grafana knows the scrape interval", () => {
  const prometheus = parse(read("deploy/prometheus/prometheus.yml")) as {
    global: { scrape_interval: string };
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  const targets = prometheus.scrape_configs.flatMap((job) => job.static_configs.flatMap((group) => group.targets));
  assert.deepEqual(
    targets,
    nodes.map(([name]) => `${name}:9464`),
  );
  for (const [name, { expose = [], environment }] of nodes) {
    assert.ok(expose.includes("9464"), name);
    assert.equal(environment?.["LIMPET_OPS_HOST"], "0.0.0.0", name);
  }
  const { datasources } = parse(read("deploy/grafana/provisioning/datasources/prometheus.yml")) as {
    datasources: { jsonData: { timeInterval: string } }[];
  };
  assert.equal(datasources[0]?.jsonData.timeInterval, prometheus.global.scrape_interval);
});

test("the dashboard's panels explain themselves, filter by node and do not overlap", () => {
  const { panels } = readDashboard();
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Set<string>();
  for (const { type, title, description, targets = [], gridPos } of panels) {
    if (type !== "row") assert.ok(description, title);
    for (const { expr } of targets) {
      const selectors = [...expr.matchAll(/\{([^}]*)\}/g)].map(([, selector]) => selector);
      assert.ok(selectors.length > 0, expr);
      for (const selector of selectors) assert.ok(selector?.includes('instance=~"$node"'), expr);
    }
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!taken.has(`${x},${y}`), title);
        taken.add(`${x},${y}`);
      }
    }
  }
});

test("what the Dockerfile copies exists and is let through by .dockerignore, which lets nothing else through", () => {
  const copied = instructions("COPY")
    .filter((line) => !line.startsWith("--from"))
    .flatMap((line) => line.split(/\s+/).slice(0, -1));
  const [first, ...letThrough] = read(".dockerignore")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  assert.equal(first, "*");
  assert.deepEqual(letThrough.map((line) => line.slice(1)).sort(), [...copied].sort());
  for (const file of copied) assert.ok(existsSync(path.join(root, file)), file);
});

test("the image runs what the build makes, by a user who is not root, on a Node that the package supports", () => {
  const [entrypoint = "[]"] = instructions("ENTRYPOINT");
  const [, main = ""] = JSON.parse(entrypoint) as string[];
  assert.ok(existsSync(path.join(root, main.replace(/^\/app\//, ""))), main);
  assert.deepEqual(instructions("USER"), ["node"]);
  for (const base of instructions("FROM")) assert.match(base, /^node:24-slim( AS build)?$/);
});

test("the health checks pass on a node that works and fail without one", async (t) => {
  const node = await startNode({}, t);
  const unused = await freePort();
  const [healthcheck = ""] = instructions("HEALTHCHECK");
  const fromImage = JSON.parse(healthcheck.slice(healthcheck.indexOf("["))) as string[];
  const [, ...fromCompose] = services["node-1"]?.healthcheck.test ?? [];
  const onPort = (command: readonly string[], port: number): number | null => {
    const args = command.slice(1).map((arg) => arg.replace(":9464/", `:${port}/`));
    const { status } = spawnSync(process.execPath, args, {
      env: { ...process.env, LIMPET_OPS_PORT: String(port) },
      stdio: "ignore",
    });
    return status;
  };
  for (const command of [fromImage, fromCompose]) {
    assert.equal(command[0], "node");
    assert.equal(onPort(command, node.opsPort), 0, command.join(" "));
    assert.equal(onPort(command, unused), 1, command.join(" "));
  }
});
