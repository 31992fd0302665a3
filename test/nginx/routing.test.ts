/** Where the generated configuration sends requests, in a real nginx with servers behind it that only write down what comes. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { nginxConfig, type NginxOptions } from "../../src/cli/nginx-config.js";
import { createSid, MAX_SLOTS, nodePrefix, sidPrefix } from "../../src/routing/address.js";
import { startNginx, type Nginx } from "../support/nginx.js";
import { RawConnection, rawRequest, type RawResponse } from "../support/raw-http.js";
import { FakeGateway } from "./fake-gateway.js";
import { DEFAULTS } from "./options.js";

const NODES = [0, 1, 4095];

interface Fleet {
  readonly nginx: Nginx;
  readonly gateways: readonly FakeGateway[];
}

/** nginx before one fake gateway for each node; a second port says which upstream a request would go to. */
async function startFleet(
  t: TestContext,
  ids: readonly number[] = NODES,
  change: Partial<NginxOptions> = {},
): Promise<Fleet> {
  const gateways = await Promise.all(ids.map(() => FakeGateway.start(t)));
  const nodes = ids.map((id, i) => ({ id, address: gateways[i]?.address ?? "" }));
  const nginx = await startNginx(
    t,
    ({ port, secondPort }) =>
      nginxConfig({ ...DEFAULTS, nodes, ...change, listen: `127.0.0.1:${port}` }) +
      `server { listen 127.0.0.1:${secondPort}; return 200 $limpet_upstream; }`,
  );
  return { nginx, gateways };
}

const poll = (sid: string): string => `/socket.io/?EIO=4&transport=polling&sid=${sid}`;

async function upstreamsOf(t: TestContext, nginx: Nginx, targets: readonly string[]): Promise<string[]> {
  const connection = await RawConnection.open(t, nginx.secondPort);
  const found: string[] = [];
  for (const target of targets) found.push((await connection.request({ target })).text);
  return found;
}

test("every id of the fleet goes to its node and worker, and only the letter's own case counts", async (t) => {
  const { nginx } = await startFleet(t, NODES, { workers: 32 });
  const all = NODES.flatMap((node) => Array.from({ length: MAX_SLOTS }, (_, slot) => ({ node, slot })));
  const found = await upstreamsOf(
    t,
    nginx,
    all.map((address) => poll(createSid(sidPrefix(address)))),
  );
  assert.deepEqual(
    found,
    all.map(({ node, slot }) => `limpet_${node}_${slot}`),
  );
});

test("an id of a worker without a pool goes to its node", async (t) => {
  const { nginx } = await startFleet(t, NODES, { workers: 1 });
  const found = await upstreamsOf(
    t,
    nginx,
    [1, 2, 63].map((slot) => poll(createSid(sidPrefix({ node: 1, slot })))),
  );
  assert.deepEqual(found, ["limpet_1_1", "limpet_node_1", "limpet_node_1"]);
});

test("what is no id of this fleet goes where new sessions go", async (t) => {
  const { nginx } = await startFleet(t, [0, 1], { workers: 32 });
  const sid = createSid(sidPrefix({ node: 0, slot: 0 }));
  const targets = [
    "/socket.io/?EIO=4&transport=polling",
    poll(""),
    poll(sid.slice(1)),
    poll(`${sid}x`),
    poll(`${sid.slice(0, 19)}!`),
    poll(`%41${sid.slice(1)}`),
    poll(createSid(nodePrefix(2) + "A")),
    poll(createSid("aaA")),
    `/socket.io/?EIO=4&transport=polling&appsid=${sid}`,
    `/socket.io/?EIO=4&transport=polling&xsid=${sid}&ssid=${sid}`,
  ];
  assert.deepEqual(new Set(await upstreamsOf(t, nginx, targets)), new Set(["limpet_new"]));
});

test("of several sids nginx takes the first, in whichever case it is written", async (t) => {
  const { nginx } = await startFleet(t, [0, 1]);
  const [one, two] = [createSid(sidPrefix({ node: 0, slot: 1 })), createSid(sidPrefix({ node: 1, slot: 0 }))];
  const found = await upstreamsOf(t, nginx, [`${poll(one)}&sid=${two}`, `/socket.io/?SID=${two}&sid=${one}`]);
  assert.deepEqual(found, ["limpet_0_1", "limpet_1_0"]);
});

test("requests reach the node they are for, whole and as they were", async (t) => {
  const { nginx, gateways } = await startFleet(t);
  for (const [i, node] of NODES.entries()) {
    const target = `${poll(createSid(sidPrefix({ node, slot: 1 })))}&t=%20%2F`;
    const body = "4x".repeat(100_000);
    assert.equal((await rawRequest(t, nginx.port, { method: "POST", target, body })).text, "ok");
    const arrival = gateways[i]?.takeOne();
    assert.deepEqual([arrival?.method, arrival?.url, arrival?.bodyBytes], ["POST", target, body.length]);
  }
  assert.ok(gateways.every(({ arrivals }) => arrivals.length === 0));
});

test("requests for one worker share a connection, and no other's", async (t) => {
  const { nginx, gateways } = await startFleet(t, [0]);
  const [gateway] = gateways;
  const sids = [0, 1].map((slot) => createSid(sidPrefix({ node: 0, slot })));
  const client = await RawConnection.open(t, nginx.port);
  const connections: Set<number>[] = [new Set(), new Set()];
  for (let i = 0; i < 20; i++) {
    await client.request({ target: poll(sids[i % 2] ?? "") });
    connections[i % 2]?.add(gateway?.takeOne().connection ?? -1);
  }
  assert.deepEqual(
    connections.map(({ size }) => size),
    [1, 1],
  );
  assert.notDeepEqual(connections[0], connections[1]);
});

test("every new session comes on a connection of its own, and the nodes take turns", async (t) => {
  const { nginx, gateways } = await startFleet(t);
  const client = await RawConnection.open(t, nginx.port);
  for (let i = 0; i < 30; i++) await client.request({ target: "/socket.io/?EIO=4&transport=polling" });
  for (const { arrivals } of gateways) {
    assert.equal(arrivals.length, 10);
    assert.equal(new Set(arrivals.map(({ connection }) => connection)).size, 10);
  }
});

test("the gateway learns who asked, for which host, and how", async (t) => {
  const { nginx, gateways } = await startFleet(t, [0]);
  const headers = {
    Host: "chat.example:8443",
    "X-Forwarded-For": "10.1.2.3",
    Upgrade: "h2c",
    Connection: "Upgrade, close",
  };
  await rawRequest(t, nginx.port, { target: "/page?x=1", headers });
  const seen = gateways[0]?.takeOne();
  assert.equal(seen?.url, "/page?x=1");
  const { host, connection, upgrade } = seen?.headers ?? {};
  assert.deepEqual(
    { host, connection, upgrade },
    { host: "chat.example:8443", connection: undefined, upgrade: undefined },
  );
  assert.equal(seen?.headers["x-forwarded-for"], "10.1.2.3, 127.0.0.1");
  assert.equal(seen?.headers["x-forwarded-host"], "chat.example:8443");
  assert.equal(seen?.headers["x-forwarded-proto"], "http");
});

test("an upgrade to WebSocket passes, on the pools as for new sessions", async (t) => {
  const { nginx, gateways } = await startFleet(t, [0]);
  const sid = createSid(sidPrefix({ node: 0, slot: 0 }));
  for (const target of ["/socket.io/?EIO=4&transport=websocket", `/socket.io/?EIO=4&transport=websocket&sid=${sid}`]) {
    const headers = { Upgrade: "WebSocket", Connection: "keep-alive, Upgrade" };
    const response = await rawRequest(t, nginx.port, { target, headers });
    assert.equal(response.status, 101);
    const seen = gateways[0]?.takeOne();
    assert.deepEqual([seen?.headers.upgrade, seen?.headers.connection], ["websocket", "upgrade"]);
  }
});

test("new sessions of a node that is gone, or refuses them, go to the others", async (t) => {
  const { nginx, gateways } = await startFleet(t);
  const [gone, refusing, alive] = gateways;
  assert.ok(gone && refusing && alive);
  gone.stop();
  refusing.behaviour = "refuse";
  for (let i = 0; i < 20; i++) {
    const response = await rawRequest(t, nginx.port, { target: "/socket.io/?EIO=4&transport=polling" });
    assert.equal(response.status, 200, `handshake ${i}`);
  }
  assert.equal(alive.arrivals.length, 20);
});

test("a POST is never sent twice: not to a pool, and not to another node", async (t) => {
  const { nginx, gateways } = await startFleet(t, [0, 1]);
  const count = (): number => gateways.reduce((sum, { arrivals }) => sum + arrivals.length, 0);
  const sid = createSid(sidPrefix({ node: 0, slot: 0 }));
  const post = (target: string): Promise<RawResponse> =>
    rawRequest(t, nginx.port, { method: "POST", target, body: "4hello" });

  // Afterwards the pool holds an idle connection, which nginx would try again on a fresh one, were it no POST.
  await rawRequest(t, nginx.port, { target: poll(sid) });
  for (const gateway of gateways) gateway.behaviour = "break";
  for (const target of [poll(sid), poll(sid), poll("nobody's")]) {
    const before = count();
    assert.equal((await post(target)).status, 502);
    assert.equal(count() - before, 1, target);
  }
});

test("a body up to the gateway's own limit passes, and one beyond it stops at nginx", async (t) => {
  const maxHttpBufferBytes = 300_000;
  const { nginx, gateways } = await startFleet(t, [0], { maxHttpBufferBytes });
  const target = poll(createSid(sidPrefix({ node: 0, slot: 0 })));
  const post = (bytes: number): Promise<RawResponse> =>
    rawRequest(t, nginx.port, { method: "POST", target, body: "x".repeat(bytes) });
  assert.equal((await post(maxHttpBufferBytes)).status, 200);
  assert.equal(gateways[0]?.takeOne().bodyBytes, maxHttpBufferBytes);
  assert.equal((await post(maxHttpBufferBytes + 1024)).status, 413);
  assert.equal(gateways[0]?.arrivals.length, 0);
});

test("a body that is sent slowly holds no connection to the gateway", async (t) => {
  const { nginx, gateways } = await startFleet(t, [0]);
  const target = poll(createSid(sidPrefix({ node: 0, slot: 0 })));
  const client = await RawConnection.open(t, nginx.port);
  await client.writePieces([`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n`, "4hel"], 100);
  assert.equal(gateways[0]?.connectionCount, 0);
  await client.write("lo");
  assert.equal((await client.readResponse()).text, "ok");
  assert.equal(gateways[0]?.takeOne().bodyBytes, 6);
});
