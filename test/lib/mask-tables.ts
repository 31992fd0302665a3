/** Tables of masks in a folder of their test, keys for them, and chance that is the same in each run. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { digest, hash, type HashKey } from "../../src/lib/half-siphash.js";
import { usable } from "../../src/lib/mask-format.js";
import { MaskReader } from "../../src/lib/mask-reader.js";
import { MaskTable, type Mask } from "../../src/lib/mask-table.js";

export const KEY: HashKey = [0x1234_5678, 0x9abc_def0];
/** Of a table that has not grown, as src/lib/mask-table.ts has it. */
export const FIRST_BUCKETS = 1024;
/** The most keys of a table that has not grown. */
export const FIRST_KEYS = 768;

export interface Tables {
  readonly file: string;
  readonly table: MaskTable;
  readonly open: () => MaskReader;
}

export function tables(t: TestContext): Tables {
  const folder = mkdtempSync(path.join(tmpdir(), "mask-table-"));
  const file = path.join(folder, "masks");
  const table = new MaskTable(file, KEY);
  const readers: MaskReader[] = [];
  t.after(() => {
    table.close();
    for (const reader of readers) reader.close();
    rmSync(folder, { recursive: true });
  });
  const open = (): MaskReader => {
    const reader = new MaskReader(file, KEY);
    readers.push(reader);
    return reader;
  };
  return { file, table, open };
}

/** Numbers from 0 to below 1: mulberry32. */
export function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Keys that fall together in a table that has not grown. */
export function crowd(count: number): string[] {
  const keys: string[] = [];
  for (let n = 0; keys.length < count; n++) {
    hash(`crowd ${n}`, KEY);
    if ((usable(digest[0] ?? 0) & (FIRST_BUCKETS - 1)) === 5) keys.push(`crowd ${n}`);
  }
  return keys;
}

/** Two keys of whose hash the first number is the same. */
export function halfTwins(): [string, string] {
  const byFirst = new Map<number, string>();
  for (let n = 0; ; n++) {
    const key = `twin ${n}`;
    hash(key, KEY);
    const first = digest[0] ?? 0;
    const other = byFirst.get(first);
    if (other !== undefined) return [other, key];
    byFirst.set(first, key);
  }
}

export const NOTHING: Mask = { low: 0, high: 0 };

export function maskOf(...bits: number[]): Mask {
  let low = 0;
  let high = 0;
  for (const bit of bits) {
    if (bit < 32) low |= 1 << bit;
    else high |= 1 << (bit - 32);
  }
  return { low, high };
}

export function find(reader: MaskReader, key: string): Mask {
  reader.find(key);
  const { low, high } = reader;
  return { low, high };
}

export const isWithin = (mask: Mask, other: Mask): boolean =>
  (mask.low & ~other.low) === 0 && (mask.high & ~other.high) === 0;
