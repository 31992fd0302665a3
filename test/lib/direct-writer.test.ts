/** Writing past Node's stream: bytes, their order, back-pressure, the end and failures as with the stream. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { DirectWriter } from "../../src/lib/direct-writer.js";
import { waitFor } from "../support/wait.js";

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** What the far end has received. */
  readonly received: () => Buffer;
}

async function pair(t: TestContext, where: "tcp" | "unix" = "tcp"): Promise<Pair> {
  const folder = await mkdtemp(path.join(tmpdir(), "direct-writer-"));
  const server = createServer().listen(where === "tcp" ? { port: 0, host: "127.0.0.1" } : path.join(folder, "socket"));
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const address = server.address() as AddressInfo | string;
  const far = typeof address === "string" ? connect(address) : connect(address.port, address.address);
  const [near] = await accepted;
  t.after(async () => {
    near.destroy();
    far.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });
  const chunks: Buffer[] = [];
  far.on("data", (chunk: Buffer) => void chunks.push(chunk));
  near.on("error", () => undefined);
  return { near, far, received: () => Buffer.concat(chunks) };
}

const unexpected = (error?: Error | null): void => {
  if (error) throw error;
};

/** The first one is the stream's: it shows what Node's requests are. */
async function warm(writer: DirectWriter): Promise<void> {
  await new Promise<void>((resolve) => {
    const isDone = writer.write(Buffer.from("!"), () => resolve());
    if (isDone) resolve();
  });
}

for (const where of ["tcp", "unix"] as const)
  test(`small writes are done at once, and arrive in order (${where})`, async (t) => {
    const { near, received } = await pair(t, where);
    const writer = new DirectWriter(near);
    await warm(writer);
    let streamed = 0;
    const write = near._write.bind(near);
    near._write = (...args) => (streamed++, write(...args));
    for (let n = 0; n < 100; n++) {
      assert.equal(writer.write(Buffer.from(`${n};`), unexpected), true);
      assert.equal(writer.heldBytes, 0);
    }
    const expected = `!${Array.from({ length: 100 }, (_, n) => `${n};`).join("")}`;
    await waitFor(() => received().length === expected.length);
    assert.equal(received().toString(), expected);
    assert.equal(streamed, 0);
  });

test("what the kernel does not take is held, called back once, and followed in order by what comes after", async (t) => {
  const { near, far, received } = await pair(t);
  const writer = new DirectWriter(near);
  await warm(writer);
  far.pause();
  const parts = Array.from({ length: 40 }, (_, n) => Buffer.alloc(300_000, n + 1));
  const outcomes = parts.map(() => 0);
  const done = parts.map((part, n) =>
    writer.write(part, (error) => (unexpected(error), (outcomes[n] = (outcomes[n] ?? 0) + 1))),
  );
  const held = done.indexOf(false);
  assert.ok(held > 0, "the kernel took all, or nothing");
  assert.equal(writer.heldBytes, parts[held]?.length);
  assert.ok(done.slice(held).every((isDone) => !isDone));
  assert.ok(near.writableLength > 0, "what follows waits in the stream");
  far.resume();
  await waitFor(() => outcomes.slice(held).every((calls) => calls === 1));
  assert.ok(outcomes.slice(0, held).every((calls) => calls === 0));
  assert.equal(writer.heldBytes, 0);
  const expected = Buffer.concat([Buffer.from("!"), ...parts]);
  await waitFor(() => received().length === expected.length);
  assert.ok(received().equals(expected));
  assert.equal(writer.write(Buffer.from("."), unexpected), true, "and then writes are done at once again");
});

test("an end comes behind what is held", async (t) => {
  const { near, far, received } = await pair(t);
  const writer = new DirectWriter(near);
  await warm(writer);
  far.pause();
  const body = Buffer.alloc(20_000_000, 7);
  assert.equal(writer.write(body, unexpected), false);
  near.end();
  const ended = once(far, "end");
  far.resume();
  await ended;
  assert.equal(received().length, 1 + body.length);
});

test("a corked connection keeps its order", async (t) => {
  const { near, received } = await pair(t);
  const writer = new DirectWriter(near);
  await warm(writer);
  near.cork();
  near.write("first ");
  assert.equal(writer.write(Buffer.from("second"), unexpected), false);
  near.uncork();
  await waitFor(() => received().toString() === "!first second");
});

test("a connection that is cut while bytes are held says so once", async (t) => {
  const { near, far } = await pair(t);
  const writer = new DirectWriter(near);
  await warm(writer);
  far.pause();
  const errors: unknown[] = [];
  assert.equal(
    writer.write(Buffer.alloc(20_000_000), (error) => void errors.push(error)),
    false,
  );
  far.resetAndDestroy();
  await waitFor(() => near.closed && errors.length > 0);
  assert.equal(errors.length, 1);
  assert.ok(errors[0] instanceof Error);
  assert.equal(writer.heldBytes, 0);
});

test("a destroyed connection fails through its callback", async (t) => {
  const { near } = await pair(t);
  const writer = new DirectWriter(near);
  await warm(writer);
  near.destroy();
  const error = await new Promise((resolve) => assert.equal(writer.write(Buffer.from("late"), resolve), false));
  assert.ok(error instanceof Error);
});

test("a connection whose peer is gone is closed with the stream's own error", async (t) => {
  const { near, far } = await pair(t);
  const writer = new DirectWriter(near);
  await warm(writer);
  near.pause();
  far.resetAndDestroy();
  const failure = once(near, "error");
  const again = setInterval(() => writer.write(Buffer.from("x"), () => undefined), 5);
  t.after(() => clearInterval(again));
  const [error] = (await failure) as [NodeJS.ErrnoException];
  assert.match(error.code ?? "", /^(EPIPE|ECONNRESET)$/);
});

/** Reads what it is sent, as fast as it can, and prints what that was. */
const READER = `
  const hash = require("node:crypto").createHash("sha1");
  const socket = require("node:net").connect(process.argv[1]);
  socket.on("data", (bytes) => hash.update(bytes));
  socket.on("end", () => { process.stdout.write(hash.digest("hex")); socket.end(); });
`;

test("a reader that makes room in the middle of writes gets every byte in order, and each write is done once", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "direct-writer-"));
  const socketPath = path.join(folder, "socket");
  const server = createServer().listen(socketPath);
  await once(server, "listening");
  const child = spawn(process.execPath, ["-e", READER, socketPath], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(async () => {
    child.kill();
    server.close();
    await rm(folder, { recursive: true });
  });
  const printed = once(child.stdout, "data") as Promise<[Buffer]>;
  const [near] = (await once(server, "connection")) as [Socket];
  t.after(() => near.destroy());
  const writer = new DirectWriter(near);
  const hash = createHash("sha1");
  const calls: number[] = [];
  let atOnce = 0;
  for (let n = 0; n < 5_000; n++) {
    const bytes = Buffer.alloc(1 + ((n * 7_919) % (n % 5 === 0 ? 400_000 : 3_000)), n % 251);
    hash.update(bytes);
    calls.push(0);
    if (writer.write(bytes, (error) => (unexpected(error), (calls[n] = (calls[n] ?? 0) + 1)))) {
      calls[n] = 1;
      atOnce++;
    }
    if (near.writableLength + writer.heldBytes > 500_000)
      await waitFor(() => near.writableLength + writer.heldBytes === 0, { intervalMs: 1 });
  }
  await waitFor(() => calls.every((times) => times > 0));
  near.end();
  const [digest] = await printed;
  assert.equal(digest.toString(), hash.digest("hex"));
  assert.ok(calls.every((times) => times === 1));
  assert.ok(
    atOnce > 100 && atOnce < 4_900,
    `${atOnce} of 5,000 were done at once: one of the two ways was hardly tried`,
  );
});
