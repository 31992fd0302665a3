/** Outlet and inlet over a real pipe: frames arrive whole and in order, many in one write, and what waits for a worker that does not read is bounded. */
import assert from "node:assert/strict";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { ATOMIC_BYTES, FifoReader, FifoWriter, makeFifo } from "../../src/lib/fifo.js";
import { CHUNK_HEAD_BYTES } from "../../src/link/inlet.js";
import { Outlet } from "../../src/link/outlet.js";
import { waitFor } from "../support/wait.js";
import { chunksOf, collector, frame, numbers, upTo } from "./chunks.js";

const BOUND_BYTES = 100_000;

/** A pipe that is open for reading, though nobody reads it before `read`. */
function pipe(t: TestContext) {
  const folder = mkdtempSync(path.join(tmpdir(), "outlet-"));
  const where = path.join(folder, "fifo");
  makeFifo(where);
  const fd = openSync(where, constants.O_RDONLY | constants.O_NONBLOCK);
  const closers = [() => closeSync(fd)];
  const close = (): void => closers.splice(0).forEach((undo) => undo());
  t.after(() => {
    close();
    rmSync(folder, { recursive: true });
  });
  const { got, inlet } = collector();
  const read: Buffer[] = [];
  return {
    got,
    read: () => Buffer.concat(read),
    begin: () => {
      const reader = new FifoReader(where, (bytes) => {
        read.push(bytes);
        inlet.push(bytes);
      });
      closers.push(() => reader.close());
    },
    /** Nobody has it open for reading any more. */
    close,
    outlet: (wid: number, maxQueueBytes = BOUND_BYTES) => {
      const writer = new FifoWriter(where);
      const { mock } = t.mock.method(writer, "write");
      const outlet = new Outlet(wid, writer, maxQueueBytes);
      t.after(() => outlet.close());
      return Object.assign(outlet, { writes: () => mock.callCount() });
    },
  };
}

const bytesOf = (buffers: readonly Buffer[]): number => buffers.reduce((sum, { length }) => sum + length, 0);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("small frames leave when they are told to, together in one write", async (t) => {
  const { outlet, begin, got, read } = pipe(t);
  begin();
  const one = outlet(7);
  for (let n = 0; n < 50; n++) assert.ok(one.hold(frame(7, n)));
  for (let n = 0; n < 5; n++) await turn();
  assert.equal(one.writes(), 0);
  assert.equal(one.queueBytes, bytesOf(upTo(50).flatMap((n) => frame(7, n))));
  one.flush();
  assert.equal(one.queueBytes, 0);
  await waitFor(() => got.length === 50);
  assert.equal(one.writes(), 1);
  assert.deepEqual(chunksOf(read()), [{ wid: 7, length: read().length }]);
  assert.deepEqual(numbers(got, 7), upTo(50));
  one.flush();
  assert.equal(one.writes(), 1, "there is nothing to write");
});

test("a great many small frames fill each write, and arrive in order", async (t) => {
  const { outlet, begin, got, read } = pipe(t);
  const one = outlet(7, Infinity);
  for (let n = 0; n < 12_000; n++) assert.ok(one.hold(frame(7, n)));
  const bytes = one.queueBytes;
  one.flush();
  assert.ok(one.queueBytes > 0, "the pipe took all of it");
  begin();
  await waitFor(() => got.length === 12_000);
  assert.deepEqual(numbers(got, 7), upTo(12_000));
  assert.equal(one.queueBytes, 0);
  const lengths = chunksOf(read()).map(({ length }) => length);
  assert.ok(lengths.slice(0, -1).every((length) => length === ATOMIC_BYTES));
  assert.equal(lengths.length, Math.ceil(bytes / (ATOMIC_BYTES - CHUNK_HEAD_BYTES)));
});

test("a frame of 1 MB arrives whole and in order between small ones", async (t) => {
  const { outlet, begin, got } = pipe(t);
  begin();
  const one = outlet(7, Infinity);
  const sizes = [10, 0, 1_000_000, 10, 5_000, 4_000, 1_000_000, 1];
  for (const [n, bytes] of sizes.entries()) one.hold(frame(7, n, bytes));
  one.flush();
  await waitFor(() => got.length === sizes.length);
  assert.deepEqual(
    got,
    sizes.map((bytes, n) => ({ wid: 7, n, bytes })),
  );
  assert.equal(one.queueBytes, 0);
});

test("the frames of two writers go in between each other, and each one's arrive whole and in order", async (t) => {
  const { outlet, begin, got, read } = pipe(t);
  const outlets = [7, 9].map((wid) => ({ wid, one: outlet(wid, Infinity) }));
  const sizeOf = (n: number): number => (n % 20 === 0 ? 30_000 : 10 + n);
  for (let n = 0; n < 200; n++)
    for (const { wid, one } of outlets) {
      one.hold(frame(wid, n, sizeOf(n)));
      if (n % 3 === 0) one.flush();
    }
  for (const { one } of outlets) one.flush();
  begin();
  await waitFor(() => got.length === 400);
  for (const { wid, one } of outlets) {
    assert.deepEqual(numbers(got, wid), upTo(200));
    assert.equal(one.queueBytes, 0);
  }
  assert.ok(got.every(({ n, bytes }) => bytes === sizeOf(n)));
  const turns = chunksOf(read()).filter(({ wid }, n, all) => wid !== all[n - 1]?.wid).length;
  assert.ok(turns > 10, `they took turns only ${turns} times`);
});

test("what is over the bound is refused until there is room; what must arrive passes it", async (t) => {
  const { outlet, begin, got } = pipe(t);
  const one = outlet(7);
  const size = bytesOf(frame(7, 100, 10_000));
  let n = 100;
  const holdAll = (): void => {
    while (one.hold(frame(7, n, 10_000))) assert.ok(n++ < 200, "it never refuses");
  };
  holdAll();
  assert.equal(one.queueBytes, (n - 100) * size);
  assert.ok(one.queueBytes >= BOUND_BYTES && one.queueBytes < BOUND_BYTES + size);
  assert.equal(one.hold(frame(7, n, 0)), false, "a small one is refused too");
  const before = one.queueBytes;
  one.flush();
  assert.ok(one.queueBytes > 0 && one.queueBytes < before, "what the pipe takes does not wait");
  holdAll();
  one.flush();
  assert.equal(one.hold(frame(7, n)), false);
  const kept = one.queueBytes;
  one.keep(frame(7, n++, 10_000));
  assert.equal(one.queueBytes, kept + size);
  begin();
  await waitFor(() => one.queueBytes === 0 && got.length === n - 100);
  assert.deepEqual(
    got,
    upTo(n - 100).map((m) => ({ wid: 7, n: 100 + m, bytes: 10_000 })),
  );
  assert.ok(one.hold(frame(7, n)), "and then it is open again");
});

test("nothing is kept for a worker that is gone", async (t) => {
  const { outlet, begin, close, got } = pipe(t);
  begin();
  const [one, other] = [outlet(7), outlet(9)];
  one.hold(frame(7, 0));
  one.flush();
  await waitFor(() => got.length === 1);
  assert.equal(one.isGone, false);
  close();
  other.hold(frame(9, 0, BOUND_BYTES));
  await waitFor(() => {
    one.hold(frame(7, 1));
    one.flush();
    return one.isGone;
  });
  other.flush();
  const late = outlet(8);
  late.hold(frame(8, 0));
  late.flush();
  for (const dead of [one, other, late]) {
    assert.ok(dead.isGone);
    assert.equal(dead.queueBytes, 0);
    assert.ok(dead.hold(frame(7, 2)), "it is not dropped for the bound");
    dead.keep(frame(7, 3));
    assert.equal(dead.queueBytes, 0);
  }
});

test("a worker that goes while its pipe is full leaves nothing waiting, and neither does an outlet that is closed", async (t) => {
  const { outlet, close } = pipe(t);
  const [left, closed] = [outlet(7), outlet(9)];
  for (const one of [left, closed]) {
    one.keep(frame(7, 0, 1_000_000));
    one.flush();
    assert.ok(one.queueBytes > 0);
  }
  closed.close();
  assert.equal(closed.queueBytes, 0);
  await turn();
  close();
  await waitFor(() => left.isGone);
  assert.equal(left.queueBytes, 0);
  assert.ok(closed.isGone);
  assert.equal(closed.queueBytes, 0);
});
