import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import path from "node:path";
import test from "node:test";
import { configKeys, valueAt } from "../../src/config/keys.js";
import { directoryWith, flags, load, loadFile, problemsOf } from "./helpers.js";

test("without any source every value is its default", () => {
  const { config, origins } = load();
  assert.deepEqual(
    { ...config, workers: 0, socketio: undefined, redis: undefined, bus: undefined, fleet: undefined },
    {
      app: null,
      port: 3000,
      host: "0.0.0.0",
      workers: 0,
      opsPort: 9464,
      opsHost: "127.0.0.1",
      nodeId: null,
      advertise: null,
      slotPorts: null,
      log: { level: "info" },
      front: { maxRequestLineBytes: 8192, requestLineTimeoutMs: 10_000, maxPendingHandoffs: 2048 },
      access: {
        handshakesPerSecond: 500,
        maxWaitMs: 1000,
        maxLagMs: 500,
        maxConnections: null,
        trustedProxies: [],
        addressSessions: null,
        addressSessionsPerMinute: null,
        userConnectsPerMinute: null,
      },
      http: { headersTimeoutMs: 20_000, requestTimeoutMs: 120_000, keepAliveTimeoutMs: 75_000 },
      hub: { path: "direct", maxQueueBytes: 67_108_864, requestTimeoutMs: 5000, maxNamespaces: 20_000 },
      engine: { writePath: "turn", batchMs: 0 },
      recovery: {
        enabled: true,
        releaseTimeoutMs: 500,
        maxSessions: 200_000,
        maxSessionBytes: 268_435_456,
        maxDataBytes: 65_536,
        maxLogBytes: 268_435_456,
        maxMissedBytes: 16_777_216,
      },
      client: {
        slowPolicy: "disconnect",
        maxBufferedBytes: 4_194_304,
        maxBufferedPackets: 20_000,
        maxEventsPerSecond: 1000,
        maxEventsBurst: 5000,
        maxRooms: 1000,
        maxNamespaces: 100,
        maxPendingAcks: 10_000,
        maxPacketsPerPost: 10_000,
      },
      drain: { deadlineMs: 25_000, perSecond: null },
      supervisor: { readyTimeoutMs: 60_000, hangTimeoutMs: null, stopTimeoutMs: 30_000, semiSpaceMb: 4 },
      socketio: undefined,
      redis: undefined,
      bus: undefined,
      fleet: undefined,
    },
  );
  assert.equal(config.workers, Math.min(availableParallelism(), 32));
  assert.deepEqual(new Set(origins.values()), new Set(["default"]));
  assert.deepEqual(
    [...origins.keys()],
    configKeys.map((key) => key.path),
  );
});

test("a flag wins over a variable, a variable over the file, the file over the default", (t) => {
  const text = "port: 1001\nworkers: 2\nnodeId: 3\nlog:\n  level: warn\n";
  const env = { LIMPET_PORT: "1002", LIMPET_WORKERS: "4" };
  const { config, origins } = loadFile(t, text, { env, flags: flags({ "--port": "1003" }) });
  assert.deepEqual(
    [config.port, config.workers, config.nodeId, config.log.level, config.opsPort],
    [1003, 4, 3, "warn", 9464],
  );
  assert.equal(origins.get("port"), "flag --port");
  assert.equal(origins.get("workers"), "variable LIMPET_WORKERS");
  assert.equal(origins.get("nodeId"), "file limpet.yaml:3");
  assert.equal(origins.get("log.level"), "file limpet.yaml:5");
  assert.equal(origins.get("opsPort"), "default");
});

test("--config wins over LIMPET_CONFIG", (t) => {
  const cwd = directoryWith(t, { "a.yaml": "port: 1", "b.yaml": "port: 2" });
  const sources = { cwd, env: { LIMPET_CONFIG: "a.yaml" } };
  assert.equal(load(sources).config.port, 1);
  assert.equal(load({ ...sources, flags: flags({ "--config": "b.yaml" }) }).config.port, 2);
});

test("the file may be JSON, with tabs and escapes, and its lines are known too", (t) => {
  const text =
    '{\n\t"port": 4001,\n\t"socketio": {\n\t\t"path": "\\/rt",\n\t\t"cors": { "origin": "https:\\u002f\\u002fx" }\n\t}\n}';
  const { config, origins } = loadFile(t, text);
  assert.equal(config.port, 4001);
  assert.equal(config.socketio.path, "/rt");
  assert.deepEqual(config.socketio.cors, { origin: "https://x" });
  assert.equal(origins.get("socketio.path"), "file limpet.yaml:4");
});

test("an empty file, one of comments alone and an empty section change nothing", (t) => {
  for (const text of ["", "# nothing yet\n", "front:\nhub: {}\n"]) {
    assert.deepEqual(loadFile(t, text).config, load().config);
  }
});

test("YAML anchors and aliases are followed", (t) => {
  const text = "port: &size 4002\nopsPort: 0\nfront: { maxRequestLineBytes: *size }\n";
  assert.equal(loadFile(t, text).config.front.maxRequestLineBytes, 4002);
  const shared = "socketio:\n  perMessageDeflate: &small { threshold: 5 }\n  httpCompression: *small\n";
  assert.deepEqual(loadFile(t, shared).config.socketio.httpCompression, { threshold: 5 });
});

test("every key can be set by its variable", () => {
  const other: Record<string, [text: string, value: unknown]> = {
    app: [import.meta.filename, import.meta.filename],
    host: ["::1", "::1"],
    opsHost: ["ops.example", "ops.example"],
    "log.level": ["debug", "debug"],
    "socketio.path": ["/rt/", "/rt"],
    "socketio.transports": ["websocket, polling", ["websocket", "polling"]],
    "socketio.perMessageDeflate": ['{"threshold":9}', { threshold: 9 }],
    "socketio.httpCompression": ["false", false],
    "socketio.cookie": ['{"sameSite":"none"}', { name: "io", sameSite: "none" }],
    "socketio.cors": ['{"origin":["https://a","https://b"]}', { origin: ["https://a", "https://b"] }],
    "socketio.connectionStateRecovery": [
      '{"skipMiddlewares":false}',
      { maxDisconnectionDuration: 120_000, skipMiddlewares: false },
    ],
    "recovery.enabled": ["false", false],
    "http.headersTimeoutMs": ["19999", 19_999],
    "supervisor.hangTimeoutMs": ["90000", 90_000],
    advertise: ["gateway-1.example:3000", "gateway-1.example:3000"],
    "redis.url": ["redis+sentinel://a:1,b:2/main", "redis+sentinel://a:1,b:2/main"],
    "engine.writePath": ["stock", "stock"],
    "hub.path": ["primary", "primary"],
    "bus.gatherMs": ["31", 31],
    "bus.bundles": ["false", false],
    "client.slowPolicy": ["drop-volatile", "drop-volatile"],
    "client.maxBufferedBytes": ["1000001", 1_000_001],
    "access.trustedProxies": ["10.0.0.0/8, ::1", ["10.0.0.0/8", "::1"]],
    "fleet.secret": ["sixteen characters", "sixteen characters"],
    "redis.tlsCaFile": [import.meta.filename, import.meta.filename],
  };
  /** Keys that are of no use without the other. */
  const pairs: Record<string, string> = {
    "redis.tlsCertFile": "LIMPET_REDIS_TLS_KEY_FILE",
    "redis.tlsKeyFile": "LIMPET_REDIS_TLS_CERT_FILE",
  };
  for (const { path: name, variable, textForm, defaultText } of configKeys) {
    const byForm =
      textForm === "boolean"
        ? [String(defaultText !== "true"), defaultText !== "true"]
        : textForm === "text"
          ? ["some text", "some text"]
          : textForm === "path"
            ? [import.meta.filename, import.meta.filename]
            : ["31", 31];
    const wide =
      /^(front\.maxRequestLineBytes|http\.requestTimeoutMs|hub\.maxQueueBytes|bus\..*|fleet\.leaseMs|recovery\.max.*Bytes)$/.test(
        name,
      );
    const [text, value] = other[name] ?? (wide ? ["123456", 123_456] : byForm);
    const pair = pairs[name] === undefined ? {} : { [pairs[name]]: import.meta.filename };
    const { config, origins } = load({ env: { [variable]: text as string, ...pair } });
    assert.deepEqual(valueAt(config, name), value, variable);
    assert.equal(origins.get(name), `variable ${variable}`);
  }
});

test("names follow from the key", () => {
  const names = new Map(configKeys.map((key) => [key.path, [key.variable, key.flagName]]));
  assert.deepEqual(names.get("front.maxRequestLineBytes"), ["LIMPET_FRONT_MAX_REQUEST_LINE_BYTES", undefined]);
  assert.deepEqual(names.get("socketio.allowEIO3"), ["LIMPET_SOCKETIO_ALLOW_EIO3", undefined]);
  assert.deepEqual(names.get("log.level"), ["LIMPET_LOG_LEVEL", "--log-level"]);
  assert.deepEqual(
    configKeys.flatMap((key) => key.flagName ?? []),
    [
      ...["--app", "--port", "--host", "--workers", "--ops-port", "--ops-host"],
      ...["--node-id", "--advertise", "--slot-ports", "--log-level", "--batch-ms", "--redis", "--recovery"],
    ],
  );
});

test("an empty variable counts as not set, and null gives a nullable key its default back", (t) => {
  const text = "port: 7\nsupervisor:\n  hangTimeoutMs: 60000\n";
  assert.equal(loadFile(t, text, { env: { LIMPET_PORT: "" } }).config.port, 7);
  const { config } = loadFile(t, text, { env: { LIMPET_SUPERVISOR_HANG_TIMEOUT_MS: "null" } });
  assert.equal(config.supervisor.hangTimeoutMs, null);
});

test("the app's path starts beside the file, or at the current directory for a flag or a variable", (t) => {
  const cwd = directoryWith(t, { "app.mjs": "", "limpet.yaml": "app: ./app.mjs" });
  const app = path.join(cwd, "app.mjs");
  assert.equal(load({ cwd: "/", env: { LIMPET_CONFIG: path.join(cwd, "limpet.yaml") } }).config.app, app);
  assert.equal(load({ cwd, env: { LIMPET_APP: "app.mjs" } }).config.app, app);
  assert.equal(load({ cwd, flags: flags({ "--app": "./app.mjs" }) }).config.app, app);
  assert.deepEqual(
    problemsOf(() => load({ cwd, flags: flags({ "--app": "nope.mjs" }) })),
    ['app = "nope.mjs" (flag --app): must be the path of a file, or null for the built-in app'],
  );
});

test("variables that Kubernetes injects for a service named limpet are no settings", () => {
  const env = {
    LIMPET_SERVICE_HOST: "10.0.0.1",
    LIMPET_SERVICE_PORT: "3000",
    LIMPET_SERVICE_PORT_HTTP: "3000",
    LIMPET_PORT: "tcp://10.0.0.1:3000",
    LIMPET_PORT_3000_TCP: "tcp://10.0.0.1:3000",
    LIMPET_PORT_3000_TCP_PROTO: "tcp",
    LIMPET_PORT_3000_TCP_PORT: "3000",
    LIMPET_PORT_3000_TCP_ADDR: "10.0.0.1",
    LIMPET_OPS_PORT: "tcp://10.0.0.2:9464",
    LIMPET_OPS_SERVICE_HOST: "10.0.0.2",
  };
  assert.deepEqual(load({ env }).config, load().config);
});

test("the configuration is frozen all the way down", (t) => {
  const { config } = loadFile(t, "socketio:\n  cors:\n    origin: [https://a]\n");
  const frozen = (value: unknown): boolean =>
    typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  assert.ok(frozen(config));
  assert.throws(() => ((config.socketio.transports as string[])[0] = "x"), TypeError);
  assert.ok(frozen(load().config), "defaults too");
});
