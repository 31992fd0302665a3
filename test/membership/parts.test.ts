/** The parts of membership that need no Redis. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { NetworkInterfaceInfo } from "node:os";
import test, { type TestContext } from "node:test";
import { memberTable } from "../../src/bus/member-table.js";
import { nodeAddress } from "../../src/bus/node-address.js";
import { NODE_PATH, probeNode } from "../../src/bus/node-probe.js";
import { formatNodeRecord, parseNodeRecord, type FleetNode } from "../../src/bus/node-record.js";
import { freePort } from "../support/free-port.js";

const RECORD = {
  uid: "u",
  address: "10.0.0.1:3000",
  version: "1.0.0",
  workers: 2,
  sessions: 3,
  lagSeconds: 0.5,
  startedAtMs: 1,
  fixed: true,
};
const node = (id: number, uid: string): FleetNode => ({ ...RECORD, id, uid });

test("a record survives its way through Redis, and what is none is nothing", () => {
  assert.deepEqual(parseNodeRecord(formatNodeRecord(RECORD)), RECORD);
  const unknown = { ...RECORD, address: null, lagSeconds: null };
  assert.deepEqual(parseNodeRecord(JSON.stringify({ ...unknown, later: "addition" })), unknown);
  for (const text of ["", "{", "null", "3", "[]", "{}", ...Object.keys(RECORD).map((key) => without(key))])
    assert.equal(parseNodeRecord(text), undefined, text);
});

const without = (key: string): string => JSON.stringify({ ...RECORD, [key]: undefined });

test("while a table is not complete the known stay in it, but for those who were followed or moved", () => {
  const known = [node(0, "a"), node(1, "b"), node(2, "c")];
  const living = [node(1, "new"), node(5, "c")];
  const view = (nodes: readonly FleetNode[]): string[] => nodes.map(({ id, uid }) => `${id}${uid}`);
  assert.deepEqual(view(memberTable(known, living, false)), ["0a", "1new", "5c"]);
  assert.deepEqual(view(memberTable(known, living, true)), ["1new", "5c"]);
});

test("a node is reached where it says, where it is bound, or at its first address to the outside", () => {
  const at = (address: string, internal = false): NetworkInterfaceInfo =>
    ({ address, internal, family: address.includes(":") ? "IPv6" : "IPv4" }) as NetworkInterfaceInfo;
  const interfaces = {
    lo: [at("127.0.0.1", true), at("::1", true)],
    eth0: [at("fe80::1"), at("169.254.1.1"), at("2001:db8::1"), at("10.1.2.3")],
  };
  const cases: [advertise: string | null, host: string, expected: string][] = [
    ["chat-0.chat", "0.0.0.0", "chat-0.chat:3000"],
    ["chat-0.chat:80", "0.0.0.0", "chat-0.chat:80"],
    ["[::1]", "0.0.0.0", "[::1]:3000"],
    ["[::1]:80", "0.0.0.0", "[::1]:80"],
    [null, "10.9.9.9", "10.9.9.9:3000"],
    [null, "2001:db8::2", "[2001:db8::2]:3000"],
    [null, "localhost", "localhost:3000"],
    [null, "0.0.0.0", "10.1.2.3:3000"],
    [null, "::", "10.1.2.3:3000"],
  ];
  for (const [advertise, host, expected] of cases)
    assert.equal(nodeAddress({ advertise, host, port: 3000 }, interfaces), expected);
  const any = { advertise: null, host: "0.0.0.0", port: 3000 };
  assert.equal(nodeAddress(any, { eth0: [at("2001:db8::1")] }), "[2001:db8::1]:3000");
  assert.equal(nodeAddress(any, { lo: interfaces.lo }), "127.0.0.1:3000");
  assert.match(nodeAddress(any), /^[\w.:[\]]+:3000$/);
});

async function listen(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a probe finds the node that answers", async (t) => {
  const asked: unknown[] = [];
  const address = await listen(t, ({ url, method }, response) => {
    asked.push([method, url]);
    response.end('{"uid":"u1","id":3}');
  });
  assert.equal(await probeNode(address), "u1");
  assert.deepEqual(asked, [["GET", NODE_PATH]]);
});

test("a probe finds nobody behind anything but a node's answer", async (t) => {
  const answers: RequestListener[] = [
    (_, response) => response.writeHead(404).end('{"uid":"u1"}'),
    (_, response) => response.end("<html>"),
    (_, response) => response.end("null"),
    (_, response) => response.end('{"uid":5}'),
    (_, response) => response.write('{"uid":"u1"}') && setImmediate(() => response.destroy()),
    (request) => request.socket.destroy(),
    (_, response) => response.end(`{"uid":"u1","filler":"${"x".repeat(1_000_000)}"}`),
  ];
  for (const answer of answers) assert.equal(await probeNode(await listen(t, answer)), undefined, String(answer));
  assert.equal(await probeNode(`127.0.0.1:${await freePort()}`), undefined);
  assert.equal(await probeNode("no address"), undefined);
});

test("a probe waits no longer than it is told, for silence and for an answer that drips", async (t) => {
  const silent = await listen(t, () => undefined);
  const dripping = await listen(t, (_, response) => {
    response.write("{");
    const timer = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(timer));
  });
  for (const address of [silent, dripping]) {
    const startedMs = performance.now();
    assert.equal(await probeNode(address, 200), undefined);
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs < 3000, `took ${tookMs} ms`);
  }
});
