/** Reading past Node's stream: bytes, back-pressure and the end as with the stream. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { readDirectly } from "../../src/lib/read-directly.js";
import { waitFor } from "../support/wait.js";

async function pair(t: TestContext): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ allowHalfOpen: false }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const far = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [near] = await accepted;
  t.after(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

test("bytes arrive in order, past the stream, and belong to who gets them", async (t) => {
  const { near, far } = await pair(t);
  const chunks: Buffer[] = [];
  let streamed = 0;
  near.on("data", (chunk: Buffer) => (streamed += chunk.length));
  assert.equal(
    readDirectly(near, (bytes) => void chunks.push(bytes)),
    true,
  );
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 251));
  far.write(sent.subarray(0, 10));
  await waitFor(() => chunks.length === 1);
  far.write(sent.subarray(10));
  await waitFor(() => near.bytesRead === sent.length);
  assert.ok(Buffer.concat(chunks).equals(sent), "later bytes were written over earlier ones, or are missing");
  assert.equal(streamed, 0);
});

test("two connections do not read each other's bytes", async (t) => {
  const pairs = [await pair(t), await pair(t)];
  const texts = pairs.map(() => "");
  pairs.forEach(({ near }, n) => readDirectly(near, (bytes) => (texts[n] += bytes.toString())));
  for (let n = 0; n < 100; n++) for (const [at, { far }] of pairs.entries()) far.write(String(at));
  await waitFor(() => texts.every((text) => text.length === 100));
  assert.deepEqual(texts, ["0".repeat(100), "1".repeat(100)]);
});

test("a paused connection is not read until it is resumed", async (t) => {
  const { near, far } = await pair(t);
  let received = 0;
  readDirectly(near, (bytes) => {
    received += bytes.length;
    near.pause();
  });
  near.resume();
  const body = Buffer.alloc(20_000_000);
  far.write(body);
  await waitFor(() => received > 0);
  const before = received;
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(received, before);
  assert.ok(far.writableLength > 0, "what is not read must wait with its sender");
  near.resume();
  await waitFor(() => received > before);
});

test("the end and an error are heard as ever", async (t) => {
  const ending = await pair(t);
  readDirectly(ending.near, () => undefined);
  ending.near.resume();
  const ended = once(ending.near, "end");
  const closed = once(ending.near, "close");
  ending.far.end("bye");
  await ended;
  await closed;

  const broken = await pair(t);
  readDirectly(broken.near, () => undefined);
  broken.near.resume();
  const failed = once(broken.near, "error") as Promise<[NodeJS.ErrnoException]>;
  broken.far.resetAndDestroy();
  const [error] = await failed;
  assert.equal(error.code, "ECONNRESET");
});
