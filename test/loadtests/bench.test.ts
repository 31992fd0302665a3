/** The measurements' own parts: clients that speak the bytes by themselves, on a real node, and the table. */
import assert from "node:assert/strict";
import test from "node:test";
import { clientFrame, FrameReader } from "../../loadtests/bench/load/frames.js";
import { Load } from "../../loadtests/bench/load/load.js";
import { bareWs, limpet, limpetWithPorts, recipe, single } from "../../loadtests/bench/sides.js";
import { tableOf } from "../../loadtests/bench/table.js";
import type { Work } from "../../loadtests/bench/works.js";

/** A frame of a server: not masked. */
function serverFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([0x81, length]), payload]);
  if (length < 65_536) return Buffer.concat([Buffer.from([0x81, 126, length >> 8, length & 255]), payload]);
  const header = Buffer.alloc(10);
  header.writeUInt16BE(0x817f);
  header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, payload]);
}

test("frames of every length are read whole, wherever the stream was cut", () => {
  const messages = ["2", "", "x".repeat(125), "y".repeat(126), "é".repeat(40_000)];
  const stream = Buffer.concat(messages.map(serverFrame));
  for (const size of [1, 2, 3, 7, 127, 65_537, stream.length]) {
    const heard: string[] = [];
    const reader = new FrameReader((bytes, start, end) => heard.push(bytes.toString("utf8", start, end)));
    for (let at = 0; at < stream.length; at += size) reader.read(Buffer.from(stream.subarray(at, at + size)));
    assert.deepEqual(heard, messages, `in pieces of ${size} bytes`);
  }
});

test("a client's frame is masked, and too long a one is refused", () => {
  const frame = clientFrame("hello");
  assert.equal(frame.subarray(0, 2).toString("hex"), "8185");
  const text = frame.subarray(6).map((byte, i) => byte ^ (frame[2 + (i & 3)] ?? 0));
  assert.equal(Buffer.from(text).toString(), "hello");
  assert.equal(clientFrame("x".repeat(300)).readUInt16BE(2), 300);
  assert.throws(() => clientFrame("x".repeat(70_000)), RangeError);
});

for (const side of [limpet, limpetWithPorts("limpet, own ports"), recipe, single, bareWs]) {
  test(`every member hears every publish on: ${side.name}`, async (t) => {
    const server = await side.start({ workers: 2 });
    t.after(() => server.stop());
    const load = await Load.start();
    t.after(() => load.stop());
    await load.run("openRooms", { ports: [server.port], rooms: 3, members: 4 });
    const { p50Ms } = await load.run("publish", { publishes: 60, perSecond: 1_000, messageBytes: 200 });
    assert.ok(p50Ms > 0 && p50Ms < 30_000, `a median of ${p50Ms} ms`);
    const from = ["127.0.0.2", "127.0.0.3"];
    await load.run("openSessions", { ports: server.sessionPorts, count: 20, together: 5, from });
    if (side === bareWs) return;
    await load.run("openPolling", { port: server.port, clients: 3 });
    await load.run("echo", { cycles: 5 });
    await load.run("closeAll");
    await assert.rejects(load.run("openSessions", { ports: [1], count: 1, together: 1 }), /ECONNREFUSED/);
  });
}

test("the table has the median, the ratio to the first server, and says what failed", () => {
  const work: Work = { name: "w", title: "a work", sides: [recipe, limpet], measure: () => Promise.resolve([]) };
  const figure = (value: number) => [{ unit: "µs", value, latency: { p50Ms: 1, p99Ms: 2 } }];
  const results = new Map([
    ["recipe", [figure(300), figure(100), figure(200)]],
    ["limpet", [figure(50), new Error("no"), figure(30)]],
  ]);
  const [, , first = "", second = ""] = tableOf([{ work, results }]).split("\n");
  const cells = (line: string): string[] => line.split("|").map((cell) => cell.trim());
  assert.deepEqual(cells(first).slice(1, -1), ["a work", "recipe", "µs", "200", "1.00", "100–300", "1.00", "2.00"]);
  assert.deepEqual(cells(second).slice(1, -1), [
    "",
    "limpet (1 failed)",
    "µs",
    "50.0",
    "0.25",
    "30.0–50.0",
    "1.00",
    "2.00",
  ]);
});
