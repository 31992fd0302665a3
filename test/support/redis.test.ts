/** The Redis of the tests does what the tests ask of it. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import { Redis } from "ioredis";
import { makeCertificates } from "./redis-tls.js";
import { newRedis, startRedis } from "./redis.js";
import { waitFor } from "./wait.js";

test("a client speaks with it, and stopping it ends the process and the client", async () => {
  const redis = await startRedis();
  const client = redis.client();
  assert.equal(await client.ping(), "PONG");
  await redis.stop();
  await waitFor(() => client.status === "end");
  assert.ok(!existsSync(`/proc/${redis.pid}`));
});

test("a restart keeps the port, and the data unless it is to be empty", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  const [first, port] = [redis.pid, redis.port];
  await client.set("kept", "1");
  await redis.restart();
  assert.notEqual(redis.pid, first);
  assert.equal(redis.port, port);
  assert.equal(await client.get("kept"), "1");
  await redis.restart({ empty: true });
  assert.equal(await client.get("kept"), null);
});

test("one that was killed comes back empty", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  await client.set("lost", "1");
  await redis.kill();
  await redis.start();
  assert.equal(await client.get("lost"), null);
});

test("a frozen one answers nobody until it thaws, and then everybody", async (t) => {
  const redis = await startRedis(t);
  const client = redis.client();
  await client.ping();
  redis.freeze();
  await waitFor(() => state(redis.pid) === "T");
  let answered = false;
  const answer = client.incr("n").then((n) => {
    answered = true;
    return n;
  });
  // Long enough for an answer that would come, on any machine that runs the other tests.
  await assert.rejects(
    waitFor(() => answered, { timeoutMs: 300 }),
    /in vain/,
  );
  redis.thaw();
  assert.equal(await answer, 1);
});

test("one that was not started refuses connections until it is", async (t) => {
  const redis = await newRedis(t);
  const client = redis.client({ retryStrategy: () => null, lazyConnect: true });
  await assert.rejects(client.connect());
  await redis.start();
  assert.equal(await redis.client().ping(), "PONG");
});

test("flags reach it: a full one refuses writes", async (t) => {
  const redis = await startRedis(t, { args: ["--maxmemory", "1mb", "--maxmemory-policy", "noeviction"] });
  await assert.rejects(
    redis
      .client()
      .set("k", Buffer.alloc(2_000_000))
      .then(() => redis.client().set("l", "1")),
    /OOM/,
  );
});

test("with TLS and a password it wants both, and its certificate holds for its address", async (t) => {
  const certificates = await makeCertificates(t);
  const redis = await startRedis(t, { tls: certificates, password: "a b/c" });
  assert.equal(await redis.client().ping(), "PONG");
  const byUrl = new Redis(redis.url, { tls: { ca: certificates.ca } });
  t.after(() => byUrl.disconnect());
  assert.equal(await byUrl.ping(), "PONG");
  const options = { lazyConnect: true, retryStrategy: () => null };
  await assert.rejects(redis.client({ ...options, tls: {} }).connect());
  await assert.rejects(redis.client({ ...options, password: "other" }).ping(), /WRONGPASS|NOAUTH|closed/);
  await redis.restart();
  assert.equal(await redis.client().ping(), "PONG");
});

/** T: stopped by a signal. */
const state = (pid: number): string | undefined =>
  /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
