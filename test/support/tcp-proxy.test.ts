/** The network of the tests breaks as it is told to. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import test from "node:test";
import type { Redis } from "ioredis";
import { CommandReader } from "./redis-commands.js";
import { startRedis } from "./redis.js";
import { sends, startProxy } from "./tcp-proxy.js";
import { waitFor } from "./wait.js";
import type { Scope } from "./children.js";

test("commands are read whole from pieces of any size", () => {
  const text = "*3\r\n$4\r\nxadd\r\n$1\r\ns\r\n$6\r\n\r\n*1\r\n\r\n*1\r\n$4\r\nPING\r\n";
  for (let size = 1; size <= text.length; size++) {
    const reader = new CommandReader();
    const read = [];
    for (let at = 0; at < text.length; at += size) read.push(...reader.read(Buffer.from(text.slice(at, at + size))));
    assert.deepEqual(
      read.map(({ name, args }) => [name, ...args.map(String)]),
      [["XADD", "s", "\r\n*1\r\n"], ["PING"]],
    );
  }
  const reader = new CommandReader();
  assert.deepEqual(reader.read(Buffer.from([0x16, 0x03, 0x01])), []);
  assert.deepEqual(
    reader.read(Buffer.from("*1\r\n$4\r\nPING\r\n")),
    [],
    "what stands behind something else is not trusted",
  );
});

/** Connects through the proxy, and comes back soon. */
async function rig(scope: Scope) {
  const redis = await startRedis(scope);
  const proxy = await startProxy(redis.port, scope);
  const through = (): Redis => redis.client({ port: proxy.port, retryStrategy: () => 20, connectTimeout: 1000 });
  return { redis, proxy, through };
}

test("what passes is counted both ways, and large values arrive unchanged", async (t) => {
  const { redis, proxy, through } = await rig(t);
  const client = through();
  const value = Buffer.alloc(3_000_000, "x");
  await client.set("k", value);
  assert.ok(((await client.getBuffer("k")) ?? "").length === value.length);
  assert.ok(value.equals((await redis.client().getBuffer("k")) ?? Buffer.alloc(0)));
  assert.ok(proxy.toServerBytes > 3_000_000 && proxy.toClientBytes > 3_000_000);
  assert.ok(proxy.toServerBytes < 3_010_000 && proxy.toClientBytes < 3_010_000);
});

test("cut resets what is open and refuses what is new, until it is healed", async (t) => {
  const { proxy, through } = await rig(t);
  const client = through();
  await client.ping();
  proxy.cut();
  await waitFor(() => client.status !== "ready");
  const socket = connect(proxy.port, proxy.host);
  await assert.rejects(
    once(socket, "close").then(() => Promise.reject(new Error("closed"))),
    /closed|ECONNRESET/,
  );
  proxy.heal();
  assert.equal(await client.ping(), "PONG");
});

test("only the connection that reads is cut, also when it comes back", async (t) => {
  const { redis, proxy, through } = await rig(t);
  const [reader, writer] = [through(), through()];
  await writer.ping();
  proxy.cut(sends("XREAD"));
  const read = reader.xread("BLOCK", 0, "STREAMS", "s", "0");
  await waitFor(() => proxy.links().filter((link) => link.commands.has("XREAD") && !link.open).length > 2);
  assert.equal(await writer.ping(), "PONG", "the other connection lives");
  assert.equal(proxy.links().filter((link) => link.open && link.commands.has("PING")).length, 1);
  await redis.client().xadd("s", "*", "a", "1");
  proxy.heal();
  assert.equal((await read)?.[0]?.[1].length, 1);
});

test("a stalled connection stays open and passes nothing until it resumes; the others pass", async (t) => {
  const { redis, proxy, through } = await rig(t);
  const [stalled, other] = [through(), through()];
  await Promise.all([stalled.ping(), other.echo("x")]);
  proxy.stall(sends("PING"));
  let answered = false;
  const answer = stalled.incr("n").then(() => (answered = true));
  assert.equal(await other.echo("y"), "y");
  assert.equal(await other.get("n"), null);
  assert.equal(answered, false);
  proxy.resume();
  await answer;
  assert.equal(await redis.client().get("n"), "1");
  assert.equal(proxy.links().filter(({ open }) => open).length, 2);
});

test("a delay holds every byte that long each way, and keeps the order", async (t) => {
  const { proxy, through } = await rig(t);
  const client = through();
  await client.ping();
  proxy.delay(100);
  const startedMs = performance.now();
  const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => client.echo(String(i))));
  const tookMs = performance.now() - startedMs;
  assert.deepEqual(
    replies,
    Array.from({ length: 20 }, (_, i) => String(i)),
  );
  assert.ok(tookMs >= 200 && tookMs < 1500, `took ${tookMs} ms`);
});

test("a swallowed reply: the command is carried out, and its sender only sees the connection close", async (t) => {
  const { redis, proxy } = await rig(t);
  const sender = redis.client({ port: proxy.port, retryStrategy: () => 20, maxRetriesPerRequest: 0 });
  await sender.ping();
  const swallowed = proxy.swallowReplies(({ name }) => name === "XADD");
  await assert.rejects(sender.xadd("s", "*", "a", "1"));
  await swallowed;
  assert.equal(await redis.client().xlen("s"), 1);
  await waitFor(() => sender.status === "ready");
  await sender.xadd("s", "*", "a", "2");
  assert.equal(await redis.client().xlen("s"), 2, "the next one is answered");
});

test("a swallowed transaction is carried out as a whole, however its pieces arrive", async (t) => {
  const { redis, proxy } = await rig(t);
  const sender = redis.client({ port: proxy.port, retryStrategy: () => 20, maxRetriesPerRequest: 0 });
  await sender.ping();
  const swallowed = proxy.swallowReplies(({ name }) => name === "XADD");
  await sender.call("MULTI");
  const queued = sender.xadd("s", "*", "a", "1");
  await waitFor(() => proxy.links().some((link) => link.commands.has("XADD")));
  const results = await Promise.allSettled([queued, sender.call("EXEC")]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  await swallowed;
  assert.equal(await redis.client().xlen("s"), 1);
});
