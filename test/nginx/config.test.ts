/** `limpet nginx`: what it prints, what it refuses, and that nginx takes it. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { nginxConfig, type NginxOptions } from "../../src/cli/nginx-config.js";
import { directoryWith } from "../config/helpers.js";
import { checkNginx } from "../support/nginx.js";
import { root } from "../support/node.js";
import { DEFAULTS } from "./options.js";

const CLI = path.join(root, "dist/cli/main.js");
const THREE_NODES = [
  { id: 0, address: "127.0.0.1:3000" },
  { id: 1, address: "[::1]:3001" },
  { id: 4095, address: "localhost:3002" },
];

/** Runs the built command with no variables of limpet but `env`. */
function limpetNginx(args: string[], env: Record<string, string> = {}, cwd = root) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("LIMPET_"));
  return spawnSync(process.execPath, [CLI, "nginx", ...args], {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    encoding: "utf8",
    timeout: 20_000,
  });
}

/** A self-signed pair, made in the test's folder. */
function makeCertificate(folder: string): { certificate: string; key: string } {
  const pair = { certificate: path.join(folder, "a certificate.pem"), key: path.join(folder, "key.pem") };
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"];
  try {
    execFileSync("openssl", [...args, "-out", pair.certificate, "-keyout", pair.key], { stdio: "ignore" });
  } catch (error) {
    throw new Error("openssl is missing or failed: on Debian, apt-get install --no-install-recommends openssl", {
      cause: error,
    });
  }
  return pair;
}

async function accepted(t: TestContext, change: Partial<NginxOptions>, tls = false): Promise<void> {
  const { ok, output } = await checkNginx(t, ({ port, folder }) =>
    nginxConfig({
      ...DEFAULTS,
      ...change,
      listen: `127.0.0.1:${port}`,
      ...(tls ? { tls: makeCertificate(folder) } : {}),
    }),
  );
  assert.ok(ok, output);
  assert.doesNotMatch(output, /warn|emerg/);
}

for (const [fleet, nodes] of [
  ["one node", DEFAULTS.nodes],
  ["three nodes", THREE_NODES],
] as const) {
  for (const full of [false, true]) {
    for (const tls of [false, true]) {
      const what = `${fleet}, ${full ? "as a whole" : "as a part"}, ${tls ? "with TLS" : "without TLS"}`;
      test(`nginx takes the configuration: ${what}`, (t) => accepted(t, { nodes, full }, tls));
    }
  }
}

test("nginx takes the largest node and a path with characters of nginx's own", async (t) => {
  await accepted(t, { workers: 32, enginePath: '/a "b"\\{c};/' });
});

test("nginx refuses what is no configuration, so the check can fail", async (t) => {
  const { ok, output } = await checkNginx(t, () => "map $arg_sid { }");
  assert.equal(ok, false);
  assert.match(output, /emerg/);
});

test("times and sizes follow the nodes' configuration", () => {
  const text = nginxConfig({
    ...DEFAULTS,
    pingIntervalMs: 60_000,
    pingTimeoutMs: 30_500,
    maxHttpBufferBytes: 5_000_000,
    gatewayKeepAliveMs: 10_000,
  });
  assert.match(text, /proxy_read_timeout 105500ms;/);
  assert.match(text, /proxy_send_timeout 105500ms;/);
  assert.match(text, /client_max_body_size 4883k;/);
  assert.match(text, /keepalive_timeout 8s;/);
});

test("with the gateway's defaults a pool gives up at 60 s what the gateway closes at 75 s", () => {
  assert.match(
    nginxConfig(DEFAULTS),
    /limpet_0_0 \{ server 127\.0\.0\.1:3000; keepalive \d+; keepalive_timeout 60s; \}/,
  );
});

test("with ports of the workers' own a pool goes there, and has the node's port as its backup", () => {
  const text = nginxConfig({ ...DEFAULTS, nodes: [{ id: 0, address: "[::1]:3000" }], slotPorts: 4000 });
  const way = "server [::1]:4003 max_fails=1 fail_timeout=1s; server [::1]:3000 backup;";
  assert.ok(text.includes(`upstream limpet_0_3 { ${way}`), text);
  assert.match(
    limpetNginx(["--slot-ports", "5000"]).stdout,
    /server 127\.0\.0\.1:5001 .*server 127\.0\.0\.1:3000 backup;/,
  );
});

test("there is a pool for each worker and for its successor in a reload", () => {
  const pools = (workers: number): number =>
    nginxConfig({ ...DEFAULTS, workers }).match(/^upstream limpet_0_/gm)?.length ?? 0;
  assert.deepEqual([pools(1), pools(4), pools(32)], [2, 8, 64]);
});

test("the command reads the nodes' configuration from file and variables, and flags win", (t) => {
  const cwd = directoryWith(t, { "limpet.yaml": "socketio:\n  path: /live\n  pingInterval: 30000\nworkers: 3\n" });
  const printed = limpetNginx(["--config", "limpet.yaml"], { LIMPET_SOCKETIO_PING_TIMEOUT: "5000" }, cwd);
  assert.equal(printed.stderr, "");
  assert.equal(printed.status, 0);
  assert.match(printed.stdout, /location "\/live\/"/);
  assert.match(printed.stdout, /proxy_read_timeout 50s;/);
  assert.match(printed.stdout, /upstream limpet_0_5 /);
  assert.doesNotMatch(printed.stdout, /upstream limpet_0_6 /);
  assert.match(printed.stdout, /server 127\.0\.0\.1:3000;/);

  const flags = limpetNginx(
    ["--config", "limpet.yaml", "--workers", "1", "--path", "/other/", "--node", "2=a.example:80"],
    {},
    cwd,
  );
  assert.match(flags.stdout, /location "\/other\/"/);
  assert.match(flags.stdout, /upstream limpet_2_1 \{ server a\.example:80;/);
  assert.doesNotMatch(flags.stdout, /limpet_2_2|limpet_0_/);
});

test("the command listens on 80, with a certificate on 443, or as told", () => {
  assert.match(limpetNginx([]).stdout, /^ {2}listen 80;$/m);
  const tls = limpetNginx(["--tls-cert", "/etc/a.pem", "--tls-key", "/etc/b.pem"]).stdout;
  assert.match(tls, /^ {2}listen 443 ssl;$/m);
  assert.match(tls, /ssl_certificate "\/etc\/a\.pem";/);
  const told = limpetNginx(["--listen", "[::]:8080", "--server-name", "a.example *.b.example"]).stdout;
  assert.match(told, /^ {2}listen \[::\]:8080;\n {2}server_name a\.example \*\.b\.example;$/m);
});

test("--out writes the file and prints nothing", (t) => {
  const cwd = directoryWith(t, {});
  const { status, stdout, stderr } = limpetNginx(["--full", "--out", "nginx.conf"], {}, cwd);
  assert.deepEqual([status, stdout, stderr], [0, "", ""]);
  assert.match(readFileSync(path.join(cwd, "nginx.conf"), "utf8"), /^events \{/m);
});

test("every bad flag is reported at once, with its value and what is allowed", () => {
  const { status, stdout, stderr } = limpetNginx([
    ...[
      "--node",
      "x=1.2.3.4:80",
      "--node",
      "4096=a:80",
      "--node",
      "1=a:0",
      "--node",
      "1=a:1",
      "--node",
      "1=b:2",
      "--node",
      "3=[::zz]:1",
    ],
    ...["--listen", "80;", "--server-name", "a;b", "--path", "socket.io", "--tls-cert", "$x", "--workers", "33"],
  ]);
  assert.equal(status, 1);
  assert.equal(stdout, "");
  const lines = stderr.split("\n").map((line) => line.trim());
  const expected = [
    /^--node = "x=1\.2\.3\.4:80" \(flag --node\): must be ID=HOST:PORT/,
    /^--node = "4096=a:80" .* from 0 to 4095/,
    /^--node = "1=a:0" /,
    /^--node = "1=b:2" .*: another node has the number 1$/,
    /^--node = "3=\[::zz\]:1" /,
    /^--listen = "80;" .*: must be a port/,
    /^--server-name = "a;b" /,
    /^--path = "socket\.io" /,
    /^--tls-cert = "\$x" .*: must be the path of a file, without \$/,
    /^--tls-cert = "\$x" .*: needs --tls-key/,
    /^workers = "33" \(flag --workers\): must be an integer from 1 to 32/,
  ];
  for (const pattern of expected)
    assert.ok(
      lines.some((line) => pattern.test(line)),
      `${pattern} in\n${stderr}`,
    );
  assert.match(stderr, new RegExp(`: ${expected.length} problems`));
});

test("deploy/nginx/limpet.conf is what the command prints, and nginx takes it", async (t) => {
  const nodes = [1, 2, 3].flatMap((id) => ["--node", `${id}=node-${id}:3000`]);
  const args = [...nodes, "--workers", "2"];
  const file = path.join(root, "deploy/nginx/limpet.conf");
  const printed = limpetNginx(args).stdout;
  const command = `npx limpet nginx ${args.join(" ")} --out deploy/nginx/limpet.conf`;
  assert.ok(readFileSync(file, "utf8") === printed, `the file is stale: ${command}`);
  assert.ok(
    readFileSync(path.join(root, "deploy/nginx/README.md"), "utf8").includes(command),
    "the README names the command",
  );
  const { ok, output } = await checkNginx(t, ({ port }) =>
    printed.replaceAll(/node-\d:3000/g, "127.0.0.1:3000").replace("listen 80;", `listen 127.0.0.1:${port};`),
  );
  assert.ok(ok, output);
});
