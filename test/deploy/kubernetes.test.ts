import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import type { Ingress } from "kubernetes-types/networking/v1.js";
import type { PodDisruptionBudget } from "kubernetes-types/policy/v1.js";
import type { StatefulSet } from "kubernetes-types/apps/v1.js";
import type { ConfigMap, Container, Secret, Service } from "kubernetes-types/core/v1.js";
import { parse, parseAllDocuments } from "yaml";
import type { Config } from "../../src/config/config.js";
import { root, startNode } from "../support/node.js";
import { complaintsOf, isTyped, type Manifest } from "./manifest-types.js";

const FOLDER = path.join(root, "deploy/kubernetes");
const CUSTOMIZATION = "kustomization.yaml";
const EXAMPLE = ".example.yaml";

const read = (file: string): string => readFileSync(path.join(FOLDER, file), "utf8");
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".yaml") && name !== CUSTOMIZATION);
const manifests = files.flatMap((file) =>
  parseAllDocuments(read(file)).map((document) => {
    assert.deepEqual(document.errors, [], file);
    return document.toJS() as Manifest;
  }),
);

function find<T>(kind: string, fits: (manifest: T) => boolean = () => true): T {
  const found = manifests.filter((manifest) => manifest.kind === kind && fits(manifest as T));
  assert.equal(found.length, 1, `one ${kind}`);
  return found[0] as T;
}

const set = find<StatefulSet>("StatefulSet");
const pod = set.spec?.template.spec;
const podLabels = set.spec?.template.metadata?.labels ?? {};
const [container] = pod?.containers ?? [];
assert.ok(pod && container);
const ports = new Map(container.ports?.map(({ name, containerPort }) => [name, containerPort]));
const service = find<Service>("Service", ({ spec }) => spec?.clusterIP === undefined);
const headless = find<Service>("Service", ({ spec }) => spec?.clusterIP === "None");

/** The environment that Kubernetes makes of ConfigMap, Secret and the pod's own fields. */
function environmentOf(
  { env = [], envFrom = [] }: Container,
  fields: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const { configMapRef } of envFrom) {
    const map = find<ConfigMap>("ConfigMap", ({ metadata }) => metadata?.name === configMapRef?.name);
    Object.assign(environment, map.data);
  }
  for (const { name, value, valueFrom } of env) {
    const { fieldRef, secretKeyRef } = valueFrom ?? {};
    if (secretKeyRef !== undefined) {
      const { metadata, stringData } = find<Secret>("Secret");
      assert.equal(secretKeyRef.name, metadata?.name);
      assert.ok(stringData !== undefined && secretKeyRef.key in stringData, secretKeyRef.key);
    }
    const text =
      value?.replace(/\$\((\w+)\)/g, (_, other: string) => {
        assert.ok(other in environment, `${other} is set before ${name}`);
        return environment[other] ?? "";
      }) ??
      (fieldRef === undefined ? undefined : fields[fieldRef.fieldPath]) ??
      (secretKeyRef === undefined ? undefined : secrets[secretKeyRef.key]);
    assert.ok(text !== undefined, `${name} has a value`);
    environment[name] = text;
  }
  return environment;
}

const FIELDS = { "metadata.labels['apps.kubernetes.io/pod-index']": "2", "status.podIP": "10.1.2.3" };
const SECRETS = { "redis-url": "redis://redis:6379", "fleet-secret": "0123456789abcdef" };

function check(env: Record<string, string>): { status: number | null; output: string; config: Config | undefined } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(root, "dist/cli/main.js"), "check", "--json"],
    { env: { PATH: process.env["PATH"], ...env }, encoding: "utf8" },
  );
  return {
    status,
    output: stdout + stderr,
    config: status === 0 ? (JSON.parse(stdout) as { config: Config }).config : undefined,
  };
}

test("the manifests are what Kubernetes' API takes: no field unknown, missing or of another type", () => {
  const typed = manifests.filter(isTyped);
  const others = manifests.filter((manifest) => !isTyped(manifest)).map(({ kind }) => kind);
  assert.deepEqual(others, ["ServiceMonitor"]);
  assert.deepEqual(complaintsOf(typed), []);

  const { serviceName: _, ...spec } = { ...set.spec };
  const wrong = { ...set, spec: { ...spec, replica: 3 } } as unknown as Manifest;
  assert.match(complaintsOf([wrong]).join(), /replica"?' does not exist/, "a check that can fail");
  const lacking = { ...set, spec } as unknown as Manifest;
  assert.match(complaintsOf([lacking]).join(), /'serviceName' is missing/);
});

test("kustomize applies every manifest that is no example, and names the examples that exist", () => {
  const { resources } = parse(read(CUSTOMIZATION)) as { resources: string[] };
  assert.deepEqual([...resources].sort(), files.filter((name) => !name.endsWith(EXAMPLE)).sort());
  const mentioned = [...read(CUSTOMIZATION).matchAll(/# - (\S+)/g)].map(([, name = ""]) => name);
  assert.ok(mentioned.length > 0);
  for (const name of mentioned) assert.ok(existsSync(path.join(FOLDER, name)), name);
});

test("selectors find the pods, ports have the names and numbers that are asked for, and nothing is sticky", () => {
  for (const selector of [
    set.spec?.selector.matchLabels,
    service.spec?.selector,
    headless.spec?.selector,
    find<PodDisruptionBudget>("PodDisruptionBudget").spec?.selector?.matchLabels,
  ]) {
    assert.ok(Object.keys(selector ?? {}).length > 0);
    for (const [label, value] of Object.entries(selector ?? {})) assert.equal(podLabels[label], value, label);
  }
  assert.equal(set.spec?.serviceName, headless.metadata?.name);
  for (const { spec } of [service, headless]) {
    assert.ok(spec?.sessionAffinity === undefined || spec.sessionAffinity === "None");
    for (const { targetPort, port } of spec?.ports ?? []) {
      assert.ok(typeof targetPort === "string" && ports.has(targetPort), String(targetPort));
      if (spec?.clusterIP === "None") assert.equal(port, ports.get(targetPort), "a headless service changes no port");
    }
  }
  const ingress = find<Ingress>("Ingress");
  for (const { http } of ingress.spec?.rules ?? []) {
    for (const { backend } of http?.paths ?? []) {
      assert.equal(backend.service?.name, service.metadata?.name);
      assert.ok(service.spec?.ports?.some(({ name }) => name === backend.service?.port?.name));
    }
  }
  assert.doesNotMatch(JSON.stringify(ingress.metadata?.annotations), /affinity|hash-by|sticky/);
});

test("Prometheus finds the ops port of each node, under the job that the alerts speak of", () => {
  interface ServiceMonitor {
    spec: {
      jobLabel: string;
      selector: { matchLabels: Record<string, string> };
      endpoints: { port: string; path: string }[];
    };
  }
  const { spec } = find<ServiceMonitor>("ServiceMonitor");
  const matching = [service, headless].filter(({ metadata }) =>
    Object.entries(spec.selector.matchLabels).every(([label, value]) => metadata?.labels?.[label] === value),
  );
  assert.deepEqual(matching, [headless], "each node once");
  for (const { port } of spec.endpoints)
    assert.ok(
      headless.spec?.ports?.some(({ name }) => name === port),
      port,
    );
  const job = headless.metadata?.labels?.[spec.jobLabel];
  assert.match(
    readFileSync(path.join(root, "deploy/prometheus/alerts.yml"), "utf8"),
    new RegExp(`up\\{job="${job}"\\}`),
  );
});

test("a node runs with the environment it is given: the pod's ordinal and address, the secrets, one fleet", () => {
  const { config, output } = check(environmentOf(container, FIELDS, SECRETS));
  assert.ok(config, output);
  assert.equal(config.nodeId, 2);
  assert.equal(config.advertise, "10.1.2.3");
  assert.equal(config.redis.url, SECRETS["redis-url"]);
  assert.deepEqual([config.port, config.opsPort], [ports.get("http"), ports.get("ops")]);
  assert.equal(config.opsHost, "0.0.0.0");
  assert.equal(pod.enableServiceLinks, false);

  const older = check(
    environmentOf(container, { ...FIELDS, "metadata.labels['apps.kubernetes.io/pod-index']": "" }, SECRETS),
  );
  assert.equal(older.config?.nodeId, null, "without the label, the id is leased");
  const { stringData = {} } = find<Secret>("Secret");
  const careless = check(environmentOf(container, FIELDS, stringData));
  assert.equal(careless.status, 1);
  assert.match(careless.output, /fleet\.secret/);
});

test("a node has the time it takes to stop, and somewhere to write", () => {
  const { config } = check(environmentOf(container, FIELDS, SECRETS));
  const [command, seconds] = container.lifecycle?.preStop?.exec?.command ?? [];
  assert.equal(command, "sleep");
  assert.ok(config);
  const stopMs = Number(seconds) * 1_000 + config.drain.deadlineMs + config.supervisor.stopTimeoutMs;
  // The lease and the outbox come after the workers, with two seconds each.
  assert.ok((pod.terminationGracePeriodSeconds ?? 0) * 1_000 >= stopMs + 4_000);
  assert.equal(container.securityContext?.readOnlyRootFilesystem, true);
  const [mount] = container.volumeMounts ?? [];
  assert.equal(mount?.mountPath, "/tmp");
  assert.ok(pod.volumes?.some(({ name, emptyDir }) => name === mount?.name && emptyDir !== undefined));
});

test("a real node answers the probes, and only readiness asks whether clients should come", async (t) => {
  const node = await startNode({ workers: 1 }, t);
  const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
  for (const probe of probes) {
    assert.equal(probe?.httpGet?.port, "ops");
    const { status } = await fetch(`${node.opsUrl}${probe?.httpGet?.path ?? ""}`);
    assert.equal(status, 200, probe?.httpGet?.path);
  }
  assert.deepEqual(
    probes.map((probe) => probe?.httpGet?.path),
    ["/healthz", "/healthz", "/readyz"],
  );
});
