import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import test, { type TestContext } from "node:test";
import { pino } from "pino";
import { createOpsServer, type OpsServer, type OpsServerParts } from "../../src/primary/ops-server.js";

const worker = {
  slot: 0,
  pid: 1,
  state: "ready",
  incarnation: 4,
  sessions: 2,
  pendingSessions: 1,
  connections: { polling: 1, websocket: 1 },
  lagMs: 0.5,
  restarts: 0,
  startedAt: "2020-01-01T00:00:00.000Z",
  queueBytes: 0,
} as const;

async function start(t: TestContext, parts: Partial<OpsServerParts> = {}): Promise<OpsServer & { logged: string[] }> {
  const logged: string[] = [];
  const server = await createOpsServer({
    host: "127.0.0.1",
    port: 0,
    render: () => Promise.resolve("limpet_x 1\n"),
    readiness: () => ({ ready: true, degraded: false, reasons: [] }),
    workers: () => [worker],
    reload: () => Promise.resolve(),
    log: pino({}, { write: (line: string) => void logged.push(line) }),
    ...parts,
  });
  t.after(() => server.close());
  return { ...server, logged };
}

function ask({ port }: OpsServer, path: string, method = "GET"): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, { method, signal: AbortSignal.timeout(5_000) });
}

test("/metrics answers in Prometheus' text format", async (t) => {
  const response = await ask(await start(t), "/metrics?x=1");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(await response.text(), "limpet_x 1\n");
});

test("/readyz tells why a node is not ready, /healthz does not care", async (t) => {
  const state = { ready: false, degraded: true, reasons: ["draining"] };
  const server = await start(t, { readiness: () => state });
  const response = await ask(server, "/readyz");
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), state);
  assert.equal((await ask(server, "/healthz")).status, 200);
  Object.assign(state, { ready: true, reasons: [] });
  assert.equal((await ask(server, "/readyz")).status, 200);
});

test("/workers shows each worker", async (t) => {
  const response = await ask(await start(t), "/workers");
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual(await response.json(), [worker]);
});

test("/ links to the others", async (t) => {
  const server = await start(t);
  const links = [...(await (await ask(server, "/")).text()).matchAll(/href="([^"]+)"/g)].map(([, href]) => href ?? "");
  assert.deepEqual(links, ["/metrics", "/healthz", "/readyz", "/workers"]);
  for (const link of links) assert.equal((await ask(server, link)).status, 200, link);
});

test("HEAD has the headers of GET and no body", async (t) => {
  const response = await ask(await start(t), "/metrics", "HEAD");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-length"), "11");
  assert.equal(await response.text(), "");
});

test("other methods are refused with what is allowed, other paths are not found", async (t) => {
  const server = await start(t);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const response = await ask(server, "/metrics", method);
    assert.equal(response.status, 405, method);
    assert.equal(response.headers.get("allow"), "GET, HEAD");
  }
  for (const path of ["/metrics/", "/constructor", "//metrics", "/socket.io/"]) {
    assert.equal((await ask(server, path)).status, 404, path);
  }
});

test("a part that throws or rejects costs one answer of 500 and one line of the log", async (t) => {
  const server = await start(t, {
    render: () => Promise.reject(new Error("render broke")),
    workers: () => {
      throw new Error("workers broke");
    },
  });
  assert.equal((await ask(server, "/metrics")).status, 500);
  assert.equal((await ask(server, "/workers")).status, 500);
  assert.equal((await ask(server, "/healthz")).status, 200);
  assert.deepEqual(
    server.logged.map((line) => (JSON.parse(line) as { err: { message: string } }).err.message),
    ["render broke", "workers broke"],
  );
});

test("a head that is too long, or no HTTP, is refused and does no harm", async (t) => {
  const server = await start(t);
  const tooLong = request({ port: server.port, path: "/healthz", headers: { "x-long": "x".repeat(9_000) } }).end();
  const [response] = (await once(tooLong, "response")) as [{ statusCode: number }];
  assert.equal(response.statusCode, 431);
  const socket = connect(server.port, "127.0.0.1");
  socket.end("\x16\x03\x01 no http\r\n\r\n");
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 400 /);
  assert.equal((await ask(server, "/healthz")).status, 200);
});

test("a client that leaves before its answer does no harm", async (t) => {
  let rendered = (): void => {};
  const asked = withResolvers();
  const server = await start(t, {
    render: () =>
      new Promise((resolve) => {
        rendered = () => resolve("late\n");
        asked.resolve();
      }),
  });
  const socket = connect(server.port, "127.0.0.1");
  socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  await asked.promise;
  socket.destroy();
  rendered();
  assert.equal((await ask(server, "/healthz")).status, 200);
  assert.deepEqual(server.logged, []);
});

test("closing ends requests that hang", async (t) => {
  const asked = withResolvers();
  const server = await start(t, {
    render: () => {
      asked.resolve();
      return new Promise(() => {});
    },
  });
  const hanging = ask(server, "/metrics");
  const ended = assert.rejects(hanging, /fetch failed/);
  await asked.promise;
  await server.close();
  await ended;
});

test("a port that is taken is an error of its own", async (t) => {
  const { port } = await start(t);
  await assert.rejects(start(t, { port }), { code: "EADDRINUSE" });
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

test("a reload is taken from this machine alone", async (t) => {
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4")?.address;
  assert.ok(outside !== undefined, "this machine has an address beside loopback");
  const server = await start(t, { host: "0.0.0.0", reload: () => Promise.reject(new Error("asked")) });
  const headers = { "X-Limpet-Reload": "1" };
  const answer = await fetch(`http://${outside}:${server.port}/reload`, { method: "POST", headers });
  assert.equal(answer.status, 403);
  assert.match(await answer.text(), /this machine alone/);
});

test("a reload is asked for by POST with a header of its own, and told how it went", async (t) => {
  let asked = 0;
  const server = await start(t, {
    reload: () => (++asked === 1 ? Promise.resolve() : Promise.reject(new Error("bad app"))),
  });
  const post = (headers: Record<string, string>): Promise<Response> =>
    fetch(`http://127.0.0.1:${server.port}/reload`, { method: "POST", headers, signal: AbortSignal.timeout(5_000) });
  assert.equal((await ask(server, "/reload")).status, 405);
  assert.equal((await post({})).status, 403);
  assert.equal(asked, 0);
  assert.equal((await post({ "X-Limpet-Reload": "1" })).status, 200);
  const failed = await post({ "X-Limpet-Reload": "1" });
  assert.equal(failed.status, 409);
  assert.match(await failed.text(), /the old workers stay: bad app/i);
});
