import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { encodeFrame } from "../../src/link/frame.js";
import { Wire, type WireHandler } from "../../src/link/wire.js";
import { countKernelWrites } from "../support/kernel-writes.js";
import { waitFor } from "../support/wait.js";

const BOUND_BYTES = 1_000_000;

/** Two ends of a Unix socket; `frames` is what the far one has got. */
async function pair(t: TestContext, handler: Partial<WireHandler> = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-wire-"));
  const server = createServer();
  server.listen(path.join(folder, "s"));
  await once(server, "listening");
  const near = connect(path.join(folder, "s"));
  const [far] = (await once(server, "connection")) as [Socket];
  t.after(() => {
    near.destroy();
    far.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const frames: { header: unknown; bytes: number }[] = [];
  const ends: (Error | undefined)[] = [];
  const silent: WireHandler = { onFrame: () => undefined, onClose: () => undefined };
  const wire = new Wire(near, { ...silent, onClose: (error) => void ends.push(error) }, BOUND_BYTES);
  const receiver = new Wire(
    far,
    { ...silent, onFrame: (header, body) => void frames.push({ header, bytes: body.length }), ...handler },
    BOUND_BYTES,
  );
  return { wire, receiver, near, far, frames, ends };
}

const numbers = (frames: readonly { header: unknown }[]): number[] =>
  frames.map(({ header }) => (header as { n: number }).n);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

test("frames of both kinds arrive in the order they were given, whatever their size", async (t) => {
  const { wire, frames } = await pair(t);
  for (let n = 0; n < 300; n++) {
    const body = Buffer.alloc(n % 7 === 0 ? 10_000 : 10);
    if (n % 2 === 0) wire.send({ n }, body);
    else assert.ok(wire.offer(encodeFrame({ n }, body)));
  }
  await waitFor(() => frames.length === 300);
  assert.deepEqual(numbers(frames), upTo(300));
  assert.ok(frames.every(({ bytes }, n) => bytes === (n % 7 === 0 ? 10_000 : 10)));
  assert.equal(wire.queueBytes, 0);
});

test("what is given in one turn of the event loop is one write", async (t) => {
  const { wire, near, frames } = await pair(t);
  const writes = countKernelWrites(near);
  for (let n = 0; n < 100; n++) wire.send({ n });
  assert.equal(writes(), 0);
  await waitFor(() => frames.length === 100);
  assert.equal(writes(), 1);
});

test("what is held leaves when it is told to, or with what is sent behind it, in the order it was given", async (t) => {
  const { wire, near, frames } = await pair(t);
  const writes = countKernelWrites(near);
  const turnsEnd = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.ok(wire.hold(encodeFrame({ n: 0 })));
  await turnsEnd();
  assert.equal(writes(), 0);
  wire.flush();
  await waitFor(() => frames.length === 1);
  assert.ok(wire.hold(encodeFrame({ n: 1 })));
  await turnsEnd();
  assert.equal(writes(), 1);
  wire.send({ n: 2 });
  await waitFor(() => frames.length === 3);
  assert.deepEqual(numbers(frames), upTo(3));
  assert.equal(writes(), 2);

  wire.hold(encodeFrame({ n: 3 }, Buffer.alloc(BOUND_BYTES)));
  assert.equal(wire.hold(encodeFrame({ n: 4 })), false, "the bound is the same");
  wire.end();
  await waitFor(() => frames.length === 4);
});

test("a peer that does not read is offered no more than the bound; what must arrive is queued all the same", async (t) => {
  const { wire, far, frames } = await pair(t);
  far.pause();
  const body = Buffer.alloc(50_000);
  let taken = 0;
  while (wire.offer(encodeFrame({ n: taken }, body))) {
    taken++;
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(taken < 100, "it never refuses");
  }
  assert.ok(wire.queueBytes >= BOUND_BYTES && wire.queueBytes < BOUND_BYTES + 60_000, `${wire.queueBytes} bytes wait`);
  assert.equal(wire.offer(encodeFrame({ n: -1 })), false, "a small one is refused too: order would not matter less");
  wire.send({ n: taken });
  far.resume();
  await waitFor(() => frames.length === taken + 1);
  assert.deepEqual(numbers(frames), upTo(taken + 1));
  await waitFor(() => wire.queueBytes === 0, { message: "the queue to drain" });
  assert.ok(wire.offer(encodeFrame({ n: taken + 1 })), "and then it is open again");
});

test("an error of the handler costs the frames behind it nothing, and surfaces as an uncaught one", async (t) => {
  const got: number[] = [];
  const { wire } = await pair(t, {
    onFrame: (header) => {
      const { n } = header as { n: number };
      got.push(n);
      if (n === 1) throw new Error("the handler's");
    },
  });
  const uncaught: Error[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => void uncaught.push(error));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  for (let n = 0; n < 5; n++) wire.send({ n });
  await waitFor(() => got.length === 5);
  assert.deepEqual(got, upTo(5));
  assert.deepEqual(
    uncaught.map(({ message }) => message),
    ["the handler's"],
  );
});

test("a peer that sends what is no frame is cut off, and the reason is told once", async (t) => {
  const { wire, far, ends } = await pair(t);
  far.write("GET / HTTP/1.1\r\n\r\n");
  await waitFor(() => ends.length > 0);
  assert.match(String(ends[0]?.message), /no frames/);
  wire.send({ n: 1 });
  await waitFor(() => wire.queueBytes === 0, { message: "what is given to a dead wire to be let go" });
  assert.equal(ends.length, 1);
});

test("end lets what is queued leave first", async (t) => {
  const ended: unknown[] = [];
  const { wire, frames } = await pair(t, { onClose: (error) => void ended.push(error) });
  for (let n = 0; n < 20; n++) wire.send({ n }, Buffer.alloc(100_000));
  wire.end();
  await waitFor(() => ended.length > 0);
  assert.deepEqual(numbers(frames), upTo(20));
});
