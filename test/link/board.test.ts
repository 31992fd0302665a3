/** The board: what the primary posts is what workers look up, by names that never run into each other, and a bit that was given back waits the longest. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { MAX_SLOTS } from "../../src/routing/address.js";
import { MaskReader } from "../../src/lib/mask-reader.js";
import { MaskTable } from "../../src/lib/mask-table.js";
import { Board, BoardReader, MAX_BITS, occupiedKey, openKey, prefixKey, roomKey } from "../../src/link/board.js";

const KEY = [1, 2] as const;

function boards(t: TestContext): { board: Board; reader: BoardReader; found: (...keys: string[]) => number[] } {
  const folder = mkdtempSync(path.join(tmpdir(), "board-"));
  const where = path.join(folder, "board");
  const board = new Board(new MaskTable(where, KEY));
  const reader = new BoardReader(new MaskReader(where, KEY));
  t.after(() => {
    board.close();
    reader.close();
    rmSync(folder, { recursive: true });
  });
  return { board, reader, found: (...keys) => bitsOf(reader, keys).map((bit) => reader.widOf(bit)) };
}

function bitsOf(reader: BoardReader, keys: readonly string[]): number[] {
  reader.clear();
  for (const key of keys) reader.add(key);
  const { low, high } = reader;
  return Array.from({ length: MAX_BITS }, (_, bit) => bit).filter(
    (bit) => (((bit < 32 ? low : high) >>> (bit % 32)) & 1) === 1,
  );
}

const workers = (...wids: number[]): { wid: number }[] => wids.map((wid) => ({ wid }));
const upTo = (count: number, from = 0): number[] => Array.from({ length: count }, (_, n) => from + n);

test("who was posted is found, until others are", (t) => {
  const { board, found } = boards(t);
  for (const wid of [11, 12, 13]) board.add(wid);
  board.post(roomKey("/", "r"), workers(11, 13));
  board.post(openKey("/"), new Set(workers(11, 12, 13)));
  assert.deepEqual(found(roomKey("/", "r")), [11, 13]);
  assert.deepEqual(found(openKey("/")), [11, 12, 13]);
  assert.equal(board.size, 2);
  board.post(roomKey("/", "r"), workers(12));
  assert.deepEqual(found(roomKey("/", "r")), [12]);
  board.post(roomKey("/", "r"), []);
  assert.deepEqual(found(roomKey("/", "r")), []);
  assert.equal(board.size, 1);
  board.post(roomKey("/", "r"), workers(99));
  assert.deepEqual(found(roomKey("/", "r")), [], "nobody has added that worker");
});

test("what several keys find is found together, until it is cleared", (t) => {
  const { board, reader, found } = boards(t);
  for (const wid of upTo(MAX_BITS, 100)) board.add(wid);
  board.post(roomKey("/", "low"), workers(100, 131));
  board.post(roomKey("/", "high"), workers(132, 163));
  assert.deepEqual(found(roomKey("/", "low"), roomKey("/", "high"), roomKey("/", "none")), [100, 131, 132, 163]);
  reader.clear();
  assert.deepEqual([reader.low, reader.high], [0, 0]);
  assert.deepEqual(found(roomKey("/", "high")), [132, 163]);
});

test("namespaces, rooms and kinds whose names run into each other share nothing", (t) => {
  const { board, found } = boards(t);
  const keys = [
    roomKey("/a", "bc"),
    roomKey("/ab", "c"),
    roomKey("/abc", ""),
    roomKey("/", "abc"),
    roomKey("/a", "b c"),
    roomKey("/a b", "c"),
    roomKey("/1", "2 3"),
    roomKey("/12", " 3"),
    roomKey("2", "abcdefghijkl"),
    roomKey("abcdefghijkl", ""),
    roomKey("/", "1"),
    roomKey("/", 1),
    roomKey("/", "i"),
    roomKey("/", -1),
    roomKey("/", "-1"),
    roomKey("/", ""),
    roomKey("", "/"),
    occupiedKey("/"),
    occupiedKey("/a"),
    openKey("/"),
    openKey("/a"),
    prefixKey("/"),
    prefixKey("/a"),
    roomKey("1 /", ""),
    roomKey("", "1 /"),
    roomKey("/\ud83d", "\udc1a"),
    roomKey("/\ud83d\udc1a", ""),
  ];
  assert.equal(new Set(keys).size, keys.length);
  for (const [n, key] of keys.entries()) {
    board.add(n + 1);
    board.post(key, workers(n + 1));
  }
  assert.equal(board.size, keys.length);
  for (const [n, key] of keys.entries()) assert.deepEqual(found(key), [n + 1]);
});

test("a worker that is removed is nowhere any more, and nobody else is", (t) => {
  const { board, found } = boards(t);
  for (const wid of [1, 2, 3]) board.add(wid);
  const rooms = upTo(2_000).map((n) => roomKey("/", `room ${n}`));
  for (const [n, room] of rooms.entries()) board.post(room, n % 2 === 0 ? workers(1, 2) : workers(2));
  board.remove(2);
  assert.equal(board.size, 1_000);
  for (const [n, room] of rooms.entries()) {
    const all = found(room);
    assert.ok(!all.includes(2));
    if (n % 2 === 0) assert.ok(all.includes(1));
  }
  board.remove(2);
  board.remove(99);
  assert.equal(board.size, 1_000);
  board.post(openKey("/"), workers(1, 2, 3));
  assert.deepEqual(found(openKey("/")), [1, 3]);
});

test("a bit that was given back is given again after all others", (t) => {
  const { board, reader, found } = boards(t);
  const bitOf = (wid: number): number | undefined => {
    board.post("it", workers(wid));
    return bitsOf(reader, ["it"])[0];
  };
  for (const wid of [1, 2]) board.add(wid);
  assert.deepEqual([bitOf(1), bitOf(2)], [0, 1]);
  board.remove(1);
  for (let n = 0; n < MAX_BITS - 2; n++) {
    board.add(100 + n);
    assert.equal(bitOf(100 + n), 2 + n);
    board.remove(100 + n);
  }
  board.add(500);
  assert.equal(bitOf(500), 0);
  assert.deepEqual(found("it"), [500]);
  board.add(501);
  assert.equal(bitOf(501), 2, "the one that has waited longest of the others");
});

test("more workers than bits are an error, until one is removed", (t) => {
  const { board, found } = boards(t);
  for (const wid of upTo(MAX_BITS, 1)) board.add(wid);
  assert.throws(() => board.add(65), /more workers than bits/);
  board.post(openKey("/"), workers(...upTo(65, 1)));
  assert.deepEqual(found(openKey("/")), upTo(MAX_BITS, 1));
  board.remove(40);
  board.add(66);
  board.post(openKey("/"), workers(40, 66));
  assert.deepEqual(found(openKey("/")), [66]);
});

test("there is a bit for the worker of every slot", () => {
  assert.ok(MAX_SLOTS <= MAX_BITS);
});
