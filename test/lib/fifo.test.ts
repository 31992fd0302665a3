/** Named pipes: writes of many processes whole and in order, a pipe that is full, and one that nobody reads any more. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { ATOMIC_BYTES, FifoReader, FifoWriter, makeFifo, type Written } from "../../src/lib/fifo.js";
import { startProgram } from "../support/children.js";
import { waitFor } from "../support/wait.js";
import { numberedChunk, type WriterOptions } from "./fifo-writer.js";

function inFolder(t: TestContext, name: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), "fifo-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return path.join(folder, name);
}

function fifo(t: TestContext): string {
  const where = inFolder(t, "fifo");
  makeFifo(where);
  return where;
}

/** @returns what it has read, and what closes it */
function reader(t: TestContext, where: string): { chunks: Buffer[]; text: () => string; close: () => void } {
  const chunks: Buffer[] = [];
  const pipe = new FifoReader(where, (bytes) => void chunks.push(bytes));
  const close = (): void => pipe.close();
  t.after(close);
  return { chunks, text: () => Buffer.concat(chunks).toString(), close };
}

/** Somebody who has it open, and reads only when told to. */
function idler(where: string): { read: (bytes: number) => Buffer; close: () => void } {
  const fd = openSync(where, constants.O_RDONLY | constants.O_NONBLOCK);
  const read = (bytes: number): Buffer => {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(fd, buffer));
  };
  return { read, close: () => closeSync(fd) };
}

function writerOf(t: TestContext, where: string): FifoWriter {
  const writer = new FifoWriter(where);
  t.after(() => writer.close());
  return writer;
}

const write = (writer: FifoWriter, text: string): Written => writer.write(Buffer.from(text), text.length);

/** @returns how many chunks there was room for */
function fill(writer: FifoWriter, id: number): number {
  for (let n = 0; ; n++) {
    const result = writer.write(numberedChunk(id, n), ATOMIC_BYTES);
    if (result === "full") return n;
    assert.equal(result, "written");
    assert.ok(n < 10_000, "it is never full");
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what four processes write at once arrives whole, each one's in its order", async (t) => {
  const where = fifo(t);
  const { chunks } = reader(t, where);
  const count = 4_000;
  const ids = [1, 2, 3, 4];
  const programs = ids.map((id) => {
    const options: WriterOptions = { path: where, id, count };
    return startProgram(t, path.join(import.meta.dirname, "fifo-writer.ts"), options);
  });
  await Promise.all(programs.map((program) => once(program, "message")));
  for (const program of programs) program.send("go");
  const bytes = (): number => chunks.reduce((sum, { length }) => sum + length, 0);
  await waitFor(() => bytes() >= ids.length * count * ATOMIC_BYTES);
  const all = Buffer.concat(chunks);
  assert.equal(all.length, ids.length * count * ATOMIC_BYTES);
  const next = new Map(ids.map((id) => [id, 0]));
  let turns = 0;
  let last = 0;
  for (let at = 0; at < all.length; at += ATOMIC_BYTES) {
    const id = all.readUInt32BE(at);
    const n = next.get(id) ?? NaN;
    assert.ok(all.subarray(at, at + ATOMIC_BYTES).equals(numberedChunk(id, n)), `at ${at}: writer ${id}, chunk ${n}`);
    next.set(id, n + 1);
    if (id !== last) turns++;
    last = id;
  }
  assert.deepEqual([...next.values()], [count, count, count, count]);
  assert.ok(turns > ids.length, "they did not write at once");
});

test("of what a full pipe does not take nothing is written; it is, and then the rest, as soon as there is room", async (t) => {
  const where = fifo(t);
  const { read, close } = idler(where);
  t.after(close);
  const writer = writerOf(t, where);
  const room = fill(writer, 7);
  assert.ok(room > 0);
  const done: string[] = [];
  writer.writeLater(numberedChunk(7, room), (result) => void done.push(result));
  for (let n = 0; n < 10; n++) await turn();
  assert.equal(done.length, 0);
  for (let n = 0; n < room; n++) assert.ok(read(ATOMIC_BYTES).equals(numberedChunk(7, n)), `chunk ${n}`);
  await waitFor(() => done.length > 0);
  assert.deepEqual(done, ["written"]);
  assert.ok(read(ATOMIC_BYTES).equals(numberedChunk(7, room)));
  assert.equal(fill(writer, 8), room, "and then there is room for as much as before");
  writer.writeLater(numberedChunk(8, room), (result) => void done.push(result));
  for (let n = 0; n < room; n++) assert.ok(read(ATOMIC_BYTES).equals(numberedChunk(8, n)), `chunk ${n}`);
  await waitFor(() => done.length > 1);
  assert.deepEqual(done, ["written", "written"]);
  assert.ok(read(ATOMIC_BYTES).equals(numberedChunk(8, room)));
});

test("small writes are read in order, and only so much of a buffer as was told", async (t) => {
  const where = fifo(t);
  const { text } = reader(t, where);
  const [one, other] = [writerOf(t, where), writerOf(t, where)];
  assert.equal(one.write(Buffer.from("first, not this"), 6), "written");
  for (let n = 0; n < 100; n++) assert.equal(write(n % 2 === 0 ? one : other, ` ${n}`), "written");
  const expected = ["first,", ...Array.from({ length: 100 }, (_, n) => n)].join(" ");
  await waitFor(() => text().length === expected.length);
  assert.equal(text(), expected);
});

test("once the reader has closed, every write is in vain, and so it is for a writer that comes then", async (t) => {
  const where = fifo(t);
  const { text, close } = reader(t, where);
  const writer = writerOf(t, where);
  assert.equal(write(writer, "heard"), "written");
  await waitFor(() => text() === "heard");
  close();
  await waitFor(() => write(writer, "lost") === "gone");
  const { text: later } = reader(t, where);
  assert.equal(write(writer, "lost"), "gone", "another reader is another's");
  assert.equal(write(writerOf(t, where), "new"), "written");
  await waitFor(() => later() === "new");
});

test("whoever waits for room is told when the reader is gone", async (t) => {
  const where = fifo(t);
  const { close } = idler(where);
  const writer = writerOf(t, where);
  const room = fill(writer, 1);
  const done: string[] = [];
  writer.writeLater(numberedChunk(1, room), (result) => void done.push(result));
  await turn();
  close();
  await waitFor(() => done.length > 0);
  assert.deepEqual(done, ["gone"]);
  assert.equal(write(writer, "lost"), "gone");
  writer.close();
});

test("a writer that is closed while it waits for room says so once", async (t) => {
  const where = fifo(t);
  const { close } = idler(where);
  t.after(close);
  const writer = new FifoWriter(where);
  const room = fill(writer, 1);
  const done: string[] = [];
  writer.writeLater(numberedChunk(1, room), (result) => void done.push(result));
  writer.close();
  await waitFor(() => done.length > 0);
  writer.close();
  await turn();
  assert.deepEqual(done, ["gone"]);
});

test("where there is no pipe, or nobody who reads it, every write is in vain", (t) => {
  assert.equal(write(writerOf(t, inFolder(t, "none")), "lost"), "gone");
  assert.equal(write(writerOf(t, fifo(t)), "lost"), "gone");
});

test("what cannot be opened for another reason is an error", (t) => {
  assert.throws(() => new FifoWriter(path.dirname(inFolder(t, "none"))), { code: "EISDIR" });
});

test("a reader does not end with its last writer, and is there before the first one", async (t) => {
  const where = fifo(t);
  const { text } = reader(t, where);
  await turn();
  for (const word of ["one", "two", "three"]) {
    const before = text();
    const writer = new FifoWriter(where);
    assert.equal(write(writer, word), "written");
    writer.close();
    await waitFor(() => text() === before + word);
    await turn();
  }
});

test("bytes that were handed on are not written over by what comes after", async (t) => {
  const where = fifo(t);
  const { chunks } = reader(t, where);
  const writer = writerOf(t, where);
  for (const word of ["aaaa", "bbbb"]) {
    const before = chunks.length;
    write(writer, word);
    await waitFor(() => chunks.length > before);
  }
  assert.deepEqual(chunks.map(String), ["aaaa", "bbbb"]);
});

test("a pipe is its user's alone, and is not made where a file stands already", (t) => {
  const where = fifo(t);
  const { mode } = statSync(where);
  assert.equal(mode & constants.S_IFMT, constants.S_IFIFO);
  assert.equal(mode & 0o777, 0o600);
  assert.throws(() => makeFifo(where), /exists/i);
  const file = inFolder(t, "file");
  writeFileSync(file, "kept");
  assert.throws(() => makeFifo(file), /exists/i);
  assert.equal(statSync(file).size, 4);
  assert.throws(() => makeFifo(path.join(where, "below")), Error);
});

test("a reader that pauses is not woken by what comes: it has it when it reads, in order, and is woken again when it resumes", async (t) => {
  const where = fifo(t);
  const chunks: Buffer[] = [];
  const pipe = new FifoReader(where, (bytes) => void chunks.push(bytes));
  t.after(() => pipe.close());
  const text = (): string => Buffer.concat(chunks).toString();
  const writer = writerOf(t, where);
  write(writer, "a");
  await waitFor(() => text() === "a");
  assert.equal(pipe.pause(), true);
  for (const word of ["b", "c"]) {
    write(writer, word);
    for (let n = 0; n < 10; n++) await turn();
  }
  assert.equal(text(), "a");
  pipe.read();
  assert.equal(text(), "abc");
  pipe.read();
  write(writer, "d");
  pipe.resume();
  await waitFor(() => text() === "abcd");
  write(writer, "e");
  await waitFor(() => text() === "abcde");
  pipe.close();
  pipe.read();
});
