import assert from "node:assert/strict";
import test from "node:test";
import { ConfigError } from "../../src/config/problem.js";
import { directoryWith, flags, load, loadFile, problemsOf } from "./helpers.js";

test("one report holds the problems of all sources, overridden values included", (t) => {
  const text = 'port: "http"\nprot: 3\nlog: { level: loud }\n';
  const env = { LIMPET_WORKERS: "64", LIMPET_PROT: "1", LIMPET_PORT: "5" };
  const sources = { env, flags: flags({ "--node-id": "-1", "--host": true }, ["--prot", "3"]) };
  assert.deepEqual(problemsOf(() => loadFile(t, text, sources)).sort(), [
    "--host (command line): needs a value: an IP address or a host name, without a port",
    '--prot = "3" (command line): unknown flag; did you mean --port?',
    'LIMPET_PROT = "1" (environment): unknown variable; did you mean LIMPET_PORT?',
    'log.level = "loud" (file limpet.yaml:3): must be one of trace, debug, info, warn, error, fatal, silent',
    'nodeId = "-1" (flag --node-id): must be an integer from 0 to 4095, or null for the default',
    'port = "http" (file limpet.yaml:1): must be an integer from 0 to 65535 (0 picks a free one)',
    "prot = 3 (file limpet.yaml:2): unknown key; did you mean port?",
    'workers = "64" (variable LIMPET_WORKERS): must be an integer from 1 to 32',
  ]);
});

test("the error's message is the report, one line each", () => {
  const attempt = (env: Record<string, string>) => () => load({ env });
  assert.throws(attempt({ LIMPET_PORT: "x" }), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.match(
      error.message,
      /^a problem in the configuration:\n {2}port = "x" \(variable LIMPET_PORT\): must be [^\n]*$/,
    );
    assert.deepEqual(Object.keys(error.problems[0] ?? {}), ["key", "value", "origin", "message"]);
    return true;
  });
  assert.throws(
    attempt({ LIMPET_PORT: "x\ny", LIMPET_WORKERS: "0" }),
    /^ConfigError: 2 problems in the configuration:(\n {2}.*){2}$/,
  );
});

const refusedValues: [name: string, value: string, allowed: RegExp][] = [
  ["LIMPET_PORT", "65536", /0 to 65535/],
  ["LIMPET_PORT", "80.5", /integer/],
  ["LIMPET_PORT", " 80", /integer/],
  ["LIMPET_PORT", "0x50", /integer/],
  ["LIMPET_PORT", "null", /integer/],
  ["LIMPET_HOST", "0.0.0.0:3000", /without a port/],
  ["LIMPET_HOST", "http://localhost", /host name/],
  ["LIMPET_HOST", "256.0.0.1", /IP address/],
  ["LIMPET_WORKERS", "0", /1 to 32/],
  ["LIMPET_WORKERS", "33", /1 to 32/],
  ["LIMPET_NODE_ID", "4096", /0 to 4095/],
  ["LIMPET_LOG_LEVEL", "INFO", /one of trace/],
  ["LIMPET_APP", "/", /path of a file/],
  ["LIMPET_HTTP_REQUEST_TIMEOUT_MS", "2147483648", /2147483647, in ms/],
  ["LIMPET_HUB_MAX_QUEUE_BYTES", "1", /in bytes/],
  ["LIMPET_SOCKETIO_PATH", "socket.io", /begins with \//],
  ["LIMPET_SOCKETIO_PATH", "/", /longer than that/],
  ["LIMPET_SOCKETIO_PATH", "/a?b", /without blanks/],
  ["LIMPET_SOCKETIO_SERVE_CLIENT", "yes", /true or false/],
  ["LIMPET_SOCKETIO_TRANSPORTS", "polling,webtransport", /webtransport runs over UDP/],
  ["LIMPET_SOCKETIO_TRANSPORTS", "polling,polling", /at most once/],
  ["LIMPET_SOCKETIO_CORS", "*", /false or a mapping of origin/],
  ["LIMPET_SOCKETIO_CORS", "true", /false or a mapping of origin/],
  ["LIMPET_SOCKETIO_COOKIE", "{", /mapping of name/],
];

for (const [name, value, allowed] of refusedValues) {
  test(`${name}=${value} is refused, with what is allowed`, () => {
    const lines = problemsOf(() => load({ env: { [name]: value } }));
    assert.equal(lines.length, 1);
    assert.ok(lines[0]?.includes(` = ${JSON.stringify(value)} (variable ${name}): must be `), lines[0]);
    assert.match(lines[0] ?? "", allowed);
  });
}

test("IPv4, IPv6 and host names are hosts", () => {
  for (const host of ["127.0.0.1", "::", "fe80::1", "localhost", "my_pod-0.ns.svc", "a"]) {
    assert.equal(load({ env: { LIMPET_HOST: host } }).config.host, host);
  }
});

const nearMisses: [text: string, hint: string][] = [
  ["prot: 1", "did you mean port?"],
  ["Port: 1", "did you mean port?"],
  ["pingInterval: 1", "did you mean socketio.pingInterval?"],
  ["logLevel: warn", "did you mean log.level?"],
  ["front:\n  max_request_line_bytes: 512", "did you mean front.maxRequestLineBytes?"],
  ["font:\n  maxPendingHandoffs: 5", "did you mean front?"],
  ["socketio:\n  pingIntervall: 5", "did you mean socketio.pingInterval?"],
  ["hub:\n  zebra: 5", "the keys of hub are path, maxQueueBytes, requestTimeoutMs, maxNamespaces"],
  ["__proto__: 5", "the keys are app, port, "],
];

for (const [text, hint] of nearMisses) {
  test(`the file's ${JSON.stringify(text)} is an unknown key: ${hint}`, (t) => {
    const lines = problemsOf(() => loadFile(t, text));
    assert.equal(lines.length, 1);
    assert.ok(lines[0]?.includes(`: unknown key; ${hint}`), lines[0]);
  });
}

test("unknown variables are told the nearest name, the key they lie in, or where to look", () => {
  const hint = (name: string) => problemsOf(() => load({ env: { [name]: "1" } }))[0];
  assert.match(hint("LIMPET_WORKER") ?? "", /did you mean LIMPET_WORKERS\?$/);
  assert.match(hint("LIMPET_CONFG") ?? "", /did you mean LIMPET_CONFIG\?$/);
  assert.match(hint("LIMPET_SOCKETIO_CORS_ORIGIN") ?? "", /did you mean LIMPET_SOCKETIO_CORS\?$/);
  assert.match(hint("LIMPET_ZEBRA_CROSSING") ?? "", /docs\/configuration\.md lists them all/);
  assert.deepEqual(load({ env: { PORT: "1", LIMPETS: "1", MY_LIMPET_PORT: "1" } }).config, load().config);
});

test("unknown flags are told the nearest flag, or how else the key is set; stray arguments are refused", () => {
  const lines = (...rest: string[]) => problemsOf(() => load({ flags: flags({}, rest) }));
  assert.deepEqual(lines("--worker=4"), ['--worker = "4" (command line): unknown flag; did you mean --workers?']);
  assert.deepEqual(lines("--hub-max-namespaces", "5"), [
    '--hub-max-namespaces = "5" (command line): has no flag; set hub.maxNamespaces in the file, or LIMPET_HUB_MAX_NAMESPACES',
  ]);
  assert.match(lines("-x")[0] ?? "", /^-x \(command line\): unknown flag; the flags are --app, /);
  assert.deepEqual(lines("app.js"), ["app.js (command line): unexpected argument; values stand behind their flag"]);
});

test("options of Socket.IO that cannot be configured are refused with the reason", (t) => {
  const text = "socketio:\n  adapter: redis\n  parser: x\n  wsEngine: eiows\n  allowRequest: f\n  initialPacket: x\n";
  const lines = problemsOf(() => loadFile(t, text, { env: { LIMPET_SOCKETIO_ADAPTER: "redis" } }));
  assert.equal(lines.length, 6);
  for (const line of lines) assert.match(line, /: cannot be configured: .{10,}/);
  assert.ok(lines[0]?.startsWith('socketio.adapter = "redis" (file limpet.yaml:2): '), lines[0]);
  assert.ok(lines[5]?.startsWith('LIMPET_SOCKETIO_ADAPTER = "redis" (environment): '), lines[5]);
});

test("a wrong part of a mapping is named, with its own line", (t) => {
  const text =
    'socketio:\n  cors:\n    orgin: "*"\n    credentials: "yes"\n  perMessageDeflate:\n    zlibDeflateOptions:\n      level: 20\n';
  const lines = problemsOf(() => loadFile(t, text));
  assert.match(lines.join("\n"), /^socketio\.cors\.orgin = "\*" \(file limpet\.yaml:3\): unknown key; .*origin/m);
  assert.match(
    lines.join("\n"),
    /^socketio\.cors\.credentials = "yes" \(file limpet\.yaml:4\): must be of type boolean$/m,
  );
  assert.match(
    lines.join("\n"),
    /^socketio\.perMessageDeflate\.zlibDeflateOptions\.level = 20 \(file limpet\.yaml:7\): must be at most 9$/m,
  );
  assert.equal(lines.length, 3);
});

test("a part that may be of several types is told all of them", () => {
  const problem = (variable: string, value: string) => problemsOf(() => load({ env: { [variable]: value } }));
  assert.deepEqual(problem("LIMPET_SOCKETIO_CORS", '{"origin":5}'), [
    "socketio.cors.origin = 5 (variable LIMPET_SOCKETIO_CORS): must be of type boolean, or of type string, or of type array",
  ]);
  assert.deepEqual(problem("LIMPET_SOCKETIO_COOKIE", '{"sameSite":"loose","name":""}'), [
    'socketio.cookie.name = "" (variable LIMPET_SOCKETIO_COOKIE): must be of length 1 or more',
    'socketio.cookie.sameSite = "loose" (variable LIMPET_SOCKETIO_COOKIE): must be of type boolean, or one of lax, strict, none',
  ]);
  assert.deepEqual(problem("LIMPET_SOCKETIO_HTTP_COMPRESSION", '{"level":1.5}'), [
    "socketio.httpCompression.level = 1.5 (variable LIMPET_SOCKETIO_HTTP_COMPRESSION): must be an integer",
  ]);
});

test("a key with its section in one name is refused, for it could stand there twice", (t) => {
  assert.deepEqual(
    problemsOf(() => loadFile(t, "log.level: warn\n")),
    ['log.level = "warn" (file limpet.yaml:1): unknown key; write a section, and its keys inside it'],
  );
});

test("aliases that point nowhere, at themselves or at one another without end are refused", (t) => {
  const laughs = ["a: &a [x,x,x,x,x,x,x,x,x]", ..."bcdefg"].map((name, i) => {
    const before = "abcdefg".charAt(i - 1);
    return i === 0 ? name : `${name}: &${name} [${Array(9).fill(`*${before}`).join(",")}]`;
  });
  for (const text of ["port: *nowhere\n", "front: &f\n  front: *f\n", laughs.join("\n")]) {
    const lines = problemsOf(() => loadFile(t, text));
    assert.match(lines.join("\n"), /^config \(file limpet\.yaml(:1)?\): not (plain data|valid YAML or JSON): .+$/);
  }
});

test("a section that is no mapping is refused", (t) => {
  assert.deepEqual(
    problemsOf(() => loadFile(t, "port: 1\nhttp: 7\n")),
    ["http = 7 (file limpet.yaml:2): must be a mapping of headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs"],
  );
  assert.match(
    problemsOf(() => loadFile(t, "- port\n"))[0] ?? "",
    /^config = \["port"\] \(file limpet\.yaml:1\): must be a mapping of app, /,
  );
});

test("broken YAML or JSON is reported with its lines", (t) => {
  const broken: [text: string, line: RegExp][] = [
    ["port: 1\nfront: [1,\nhost: a\n", /^config \(file limpet\.yaml:3\): not valid YAML or JSON: /],
    ["port: 1\nport: 2\n", /^config \(file limpet\.yaml:2\): not valid YAML or JSON: Map keys must be unique/],
    ['{"port": 1,\n "host": "a" "b"}', /^config \(file limpet\.yaml:2\): not valid YAML or JSON: /],
    ["port: !wrong 1\n", /^config \(file limpet\.yaml:1\): .*!wrong/],
    ["port: 1\n---\nport: 2\n", /^config \(file limpet\.yaml:2\): .*documents/],
  ];
  for (const [text, line] of broken) assert.match(problemsOf(() => loadFile(t, text))[0] ?? "", line);
});

test("a file that cannot be read names who asked for it", (t) => {
  const cwd = directoryWith(t, {});
  const byFlag = problemsOf(() => load({ cwd, flags: flags({ "--config": "nope.yaml" }) }));
  assert.match(byFlag[0] ?? "", /^config = "nope\.yaml" \(flag --config\): cannot be read: ENOENT/);
  const byVariable = problemsOf(() => load({ cwd, env: { LIMPET_CONFIG: "." } }));
  assert.match(byVariable[0] ?? "", /^config = "\." \(variable LIMPET_CONFIG\): cannot be read: EISDIR/);
});

test("a long value is cut, and a problem stays on one line whatever was written", (t) => {
  const [value = ""] = problemsOf(() => load({ env: { LIMPET_HOST: `a\n${"b".repeat(5000)}` } }));
  assert.ok(value.startsWith('host = "a\\nbbb') && value.length < 200, value);
  const [key = ""] = problemsOf(() => loadFile(t, '"po\\nrt\\e[31m": 1'));
  assert.ok(key.startsWith("po rt [31m = 1 (file limpet.yaml:1): unknown key"), key);
});

test("keys that contradict each other are refused, unless one of them is wrong itself", (t) => {
  assert.deepEqual(
    problemsOf(() => load({ env: { LIMPET_HTTP_HEADERS_TIMEOUT_MS: "200000" } })),
    [
      'http.headersTimeoutMs = "200000" (variable LIMPET_HTTP_HEADERS_TIMEOUT_MS): must not exceed http.requestTimeoutMs, which is 120000: the head is a part of the request',
    ],
  );
  assert.match(
    problemsOf(() => loadFile(t, "supervisor: { hangTimeoutMs: 44999 }"))[0] ?? "",
    /at least .* which is 45000/,
  );
  assert.equal(loadFile(t, "supervisor: { hangTimeoutMs: 45000 }").config.supervisor.hangTimeoutMs, 45_000);
  assert.match(
    problemsOf(() => load({ env: { LIMPET_PORT: "9464" } }))[0] ?? "",
    /^opsPort = 9464 \(default\): must differ from port/,
  );
  assert.equal(load({ env: { LIMPET_PORT: "9464", LIMPET_HOST: "10.0.0.1" } }).config.opsPort, 9464);
  assert.equal(load({ env: { LIMPET_PORT: "0", LIMPET_OPS_PORT: "0" } }).config.opsPort, 0);
  assert.match(
    problemsOf(() => load({ env: { LIMPET_SLOT_PORTS: "65530", LIMPET_WORKERS: "4" } }))[0] ?? "",
    /^slotPorts = "65530" .* up to 65537/,
  );
  assert.match(
    problemsOf(() => load({ env: { LIMPET_SLOT_PORTS: "2995", LIMPET_WORKERS: "4" } }))[0] ?? "",
    /must leave out port, which is 3000/,
  );
  const both = { LIMPET_HTTP_HEADERS_TIMEOUT_MS: "200000", LIMPET_HTTP_REQUEST_TIMEOUT_MS: "x" };
  assert.equal(problemsOf(() => load({ env: both })).length, 1);
});
