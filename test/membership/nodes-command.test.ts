/** `limpet nodes`, as its user sees it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import path from "node:path";
import test from "node:test";
import { freePort } from "../support/free-port.js";
import { root } from "../support/node.js";
import { readyRedis, startMember } from "./member.js";
import { startRedis } from "../support/redis.js";

const MAIN = path.join(root, "dist/cli/main.js");
const PREFIX = { LIMPET_REDIS_KEY_PREFIX: "test:" };

/** Runs the built command line, with no variables of limpet but `env`. */
async function limpetNodes(args: readonly string[], env: Readonly<Record<string, string>> = PREFIX) {
  assert.ok(existsSync(MAIN), "dist/ is missing: npm run build makes it");
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("LIMPET_"));
  const options = { cwd: root, env: { ...Object.fromEntries(inherited), ...env }, timeout: 30_000 };
  return new Promise<{ code: number | string | null; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [MAIN, "nodes", ...args], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? null), stdout, stderr }),
    );
  });
}

test("nodes prints a line for each node that lives, in columns", async (t) => {
  const { url } = await startRedis(t);
  const status = () => ({ sessions: 1234, lagSeconds: 0.0123 });
  const options = { leaseMs: 60_000, startedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
  await startMember(t, url, { ...options, address: "10.0.0.7:3000", status });
  const starting = await startMember(t, url, {
    ...options,
    workers: 16,
    status: () => ({ sessions: 0, lagSeconds: null }),
  });
  const stopped = await startMember(t, url, options);
  await stopped.membership.stop();
  const { code, stdout, stderr } = await limpetNodes(["--redis", url]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.equal(
    stdout,
    [
      "NODE  ADDRESS        VERSION  WORKERS  SESSIONS  LAG      STARTED",
      "0     10.0.0.7:3000  1.2.3    2        1234      0.012 s  2026-01-02T03:04:05Z",
      "1     -              1.2.3    16       0         -        2026-01-02T03:04:05Z",
      "",
    ].join("\n"),
  );

  const json = await limpetNodes(["--json"], { ...PREFIX, LIMPET_REDIS_URL: url });
  assert.deepEqual(JSON.parse(json.stdout), starting.membership.nodes);

  const elsewhere = await limpetNodes(["--redis", url], {});
  assert.equal(elsewhere.code, 0);
  assert.equal(elsewhere.stdout, "no node holds a lease: none runs with this Redis and this redis.keyPrefix\n");
});

test("nodes leaves out an entry that nobody can read", async (t) => {
  const { url } = await startRedis(t);
  await startMember(t, url, { leaseMs: 60_000 });
  const redis = await readyRedis(t, url);
  await redis.call("ZADD", "test:{fleet}:leases", Date.now() + 60_000, 5);
  await redis.call("HSET", "test:{fleet}:nodes", 5, "rubbish");
  const { code, stdout } = await limpetNodes(["--redis", url, "--json"]);
  assert.equal(code, 0);
  assert.deepEqual(
    (JSON.parse(stdout) as { id: number }[]).map(({ id }) => id),
    [0],
  );
});

test("nodes says in one line what is missing: no Redis named, none there, one that wants a password, one that is silent", async (t) => {
  const env = { LIMPET_BUS_START_TIMEOUT_MS: "700" };
  const none = await limpetNodes([], env);
  assert.deepEqual(none, {
    code: 1,
    stdout: "",
    stderr: "limpet: a fleet has a Redis: name it with --redis or LIMPET_REDIS_URL\n",
  });

  const port = await freePort();
  const gone = await limpetNodes(["--redis", `redis://:secret@127.0.0.1:${port}`], env);
  assert.deepEqual(gone, {
    code: 1,
    stdout: "",
    stderr: `limpet: Redis at redis://:***@127.0.0.1:${port} could not be asked within 700 ms: connect ECONNREFUSED 127.0.0.1:${port}\n`,
  });

  const { url } = await startRedis(t);
  await (await readyRedis(t, url)).call("CONFIG", "SET", "requirepass", "secret");
  const refused = await limpetNodes(["--redis", url], env);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^limpet: Redis at .* could not be asked within 700 ms: NOAUTH .*\n$/);
  assert.equal((await limpetNodes(["--redis", url.replace("redis://", "redis://:secret@")], {})).code, 0);

  const silent = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(silent, "listening");
  t.after(() => silent.close());
  const address = `redis://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const frozen = await limpetNodes(["--redis", address], env);
  assert.equal(frozen.stderr, `limpet: Redis at ${address} could not be asked within 700 ms\n`);
  assert.equal(frozen.code, 1);
});

test("nodes takes the flags of a node, and explains its columns", async () => {
  const { code, stdout } = await limpetNodes(["--help"], {});
  assert.equal(code, 0);
  for (const text of ["--redis <url>", "--config <file>", "--json", "NODE", "LAG", "fleet.leaseMs"])
    assert.ok(stdout.includes(text), text);
  const bad = await limpetNodes(["--redis", "redis:/", "--colour"], {});
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /2 problems in the configuration/);
});
