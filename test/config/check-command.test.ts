import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import path from "node:path";
import test from "node:test";
import { configKeys } from "../../src/config/keys.js";
import { directoryWith } from "./helpers.js";

const root = path.resolve(import.meta.dirname, "../..");
const main = path.join(root, "dist/cli/main.js");

/** Runs the built command line in `cwd`, with no variables of limpet but `env`. */
function limpet(args: string[], { cwd = root, env = {} }: { cwd?: string; env?: Record<string, string> } = {}) {
  assert.ok(existsSync(main), "dist/ is missing: run `npm run build` first");
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("LIMPET_"));
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    encoding: "utf8",
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

test("check prints every key with its value and origin, in columns", (t) => {
  const cwd = directoryWith(t, { "limpet.yaml": "nodeId: 7\nsocketio:\n  cors:\n    origin: https://a\n" });
  const env = { LIMPET_WORKERS: "3" };
  const { status, stdout, stderr } = limpet(["check", "--config", "limpet.yaml", "--port=0"], { cwd, env });
  assert.equal(stderr, "");
  assert.equal(status, 0);
  const lines = stdout.trimEnd().split("\n");
  const cells = lines.map((line) => line.split(/ {2,}/));
  assert.deepEqual(
    cells.map(([key]) => key),
    configKeys.map((key) => key.path),
  );
  const row = (key: string) => cells.find(([name]) => name === key)?.slice(1);
  assert.deepEqual(row("port"), ["0", "flag --port"]);
  assert.deepEqual(row("workers"), ["3", "variable LIMPET_WORKERS"]);
  assert.deepEqual(row("nodeId"), ["7", "file limpet.yaml:1"]);
  assert.deepEqual(row("socketio.cors"), ['{"origin":"https://a"}', "file limpet.yaml:3"]);
  assert.deepEqual(row("host"), ["0.0.0.0", "default"]);
  const columns = new Set(lines.map((line, i) => line.length - (cells[i]?.at(-1)?.length ?? 0)));
  assert.equal(columns.size, 1, "the origins stand in one column");
});

test("check --json prints the configuration and the origins", () => {
  const { status, stdout } = limpet(["check", "--json", "--log-level", "debug"]);
  assert.equal(status, 0);
  const { config, origins } = JSON.parse(stdout) as { config: { log: unknown }; origins: Record<string, string> };
  assert.deepEqual(config.log, { level: "debug" });
  assert.equal(origins["log.level"], "flag --log-level");
  assert.equal(origins["port"], "default");
  assert.deepEqual(
    Object.keys(origins),
    configKeys.map((key) => key.path),
  );
});

test("bad input exits with 1 and the whole report, from check and from start", () => {
  for (const command of ["check", "start"]) {
    const { status, stdout, stderr } = limpet([command, "--port", "x", "--wrokers", "2", "stray", "--host"], {
      env: { LIMPET_OPSPORT: "1" },
    });
    assert.equal(status, 1);
    assert.equal(stdout, "");
    assert.deepEqual(stderr.trimEnd().split("\n").sort(), [
      "  --host (command line): needs a value: an IP address or a host name, without a port",
      '  --wrokers = "2" (command line): unknown flag; did you mean --workers?',
      '  LIMPET_OPSPORT = "1" (environment): unknown variable; did you mean LIMPET_OPS_PORT?',
      '  port = "x" (flag --port): must be an integer from 0 to 65535 (0 picks a free one)',
      "  stray (command line): unexpected argument; values stand behind their flag",
      "limpet: 5 problems in the configuration:",
    ]);
  }
});

test("check --json prints bad input as problems, and exits with 1", () => {
  const { status, stdout } = limpet(["check", "--json", "--port", "-1"]);
  assert.equal(status, 1);
  assert.deepEqual(JSON.parse(stdout), {
    problems: [
      {
        key: "port",
        value: '"-1"',
        origin: "flag --port",
        message: "must be an integer from 0 to 65535 (0 picks a free one)",
      },
    ],
  });
});

test("help start shows each flag with its default and its variable", () => {
  const { status, stdout } = limpet(["help", "start"]);
  assert.equal(status, 0);
  assert.equal(limpet(["start", "--help"]).stdout, stdout);
  const flat = stdout.replace(/\s+/g, " ");
  for (const { flagName, flag, variable, defaultText, textForm } of configKeys) {
    if (flag === undefined) continue;
    const value = textForm === "boolean" ? "[true|false]" : `<${flag.placeholder}>`;
    assert.ok(flat.includes(`${flagName} ${value} `), flagName);
    assert.ok(flat.includes(`(default: ${defaultText}; variable: ${variable})`), variable);
  }
  assert.ok(flat.includes("--config <file> "));
  for (const line of stdout.split("\n")) assert.ok(line.length <= 100, line);
});

test("the program's help lists its commands, and its version is the package's", () => {
  const { status, stdout } = limpet(["--help"]);
  assert.equal(status, 0);
  assert.deepEqual(
    [...stdout.matchAll(/^ {2}(start|check|nginx|help)\b/gm)].map(([, name]) => name),
    ["start", "check", "nginx", "help"],
  );
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { version: string };
  assert.equal(limpet(["--version"]).stdout, `${version}\n`);
});

test("an unknown command exits with 1 and the nearest one", () => {
  const { status, stderr } = limpet(["strat"]);
  assert.equal(status, 1);
  assert.match(stderr, /unknown command 'strat'\n\(Did you mean start\?\)/);
});

test("start on a taken port exits with 1 and one line, without a stack", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close());
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const { status, stderr } = limpet(["start", "--host=127.0.0.1", `--port=${port}`, "--ops-port=0", "--workers=1"]);
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(`^limpet: [^\\n]*EADDRINUSE[^\\n]*${port}\\n$`));
});
