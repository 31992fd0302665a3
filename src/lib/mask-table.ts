/**
 * A table of masks in a file, by key, that other processes of this machine look things up in with one system call ({@link ./mask-reader.ts}): what is written
 * here is seen by whoever looks after that. One process writes.
 *
 * Setting and clearing bits never moves a key that is there: so a reader that looks meanwhile sees each of the other keys as it was. A mask may show bits of other
 * keys, where more keys fall together than a bucket has places, a few in a thousand; it never lacks a bit of its own.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { digest, hash, type HashKey } from "./half-siphash.js";
import { BUCKET_BYTES, fileOf, HEAD_BYTES, NUMBERS_A_PLACE, PLACES, REST, REST_PLACE, usable } from "./mask-format.js";

const FIRST_BUCKETS = 1024;
/** A table that is fuller grows. */
const MOST_KEYS_A_BUCKET = 0.75;
const NUMBERS_A_BUCKET = PLACES * NUMBERS_A_PLACE;

/** A set of bit numbers from 0 to 63. */
export interface Mask {
  readonly low: number;
  readonly high: number;
}

export class MaskTable {
  readonly #path: string;
  readonly #key: HashKey;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #generation = 0;
  /** Undefined while a table is made that nobody reads yet. */
  #file: number | undefined;
  #numbers = new Int32Array(FIRST_BUCKETS * NUMBERS_A_BUCKET);
  #keys = 0;
  /** Keys that found no place, by their bucket and then their hash. */
  readonly #rest = new Map<number, Map<string, Mask>>();

  /** @param path of the file, to which a number is added */
  constructor(path: string, key: HashKey) {
    this.#path = path;
    this.#key = key;
    this.#file = this.#create();
  }

  /** Keys that have bits. */
  get size(): number {
    return this.#keys;
  }

  /** A number in the file's head. @param at which of them */
  setHead(at: number, value: number): void {
    this.#head.writeUInt32LE(value, 4 * at);
    if (this.#file !== undefined) writeSync(this.#file, this.#head, 4 * at, 4, 4 * at);
  }

  /** A mask without bits takes the key out. */
  set(key: string, mask: Mask): void {
    hash(key, this.#key);
    this.#put(usable(digest[0] ?? 0), digest[1] ?? 0, mask);
    if (this.#keys > MOST_KEYS_A_BUCKET * this.#buckets) this.#grow();
  }

  /** Takes a bit out of every mask. */
  clear(bit: number): void {
    const [low, high] = bit < 32 ? [~(1 << bit), -1] : [-1, ~(1 << (bit - 32))];
    const numbers = this.#numbers;
    for (let at = 0; at < numbers.length; at += NUMBERS_A_PLACE) {
      if (isFree(numbers, at)) continue;
      numbers[at + 2] = (numbers[at + 2] ?? 0) & low;
      numbers[at + 3] = (numbers[at + 3] ?? 0) & high;
      if (numbers[at] !== REST && isFree(numbers, at)) this.#keys--;
    }
    for (const [bucket, rest] of this.#rest) {
      for (const [name, mask] of rest) this.#setInRest(rest, name, { low: mask.low & low, high: mask.high & high });
      if (rest.size === 0) this.#rest.delete(bucket);
    }
    if (this.#file !== undefined) this.#writeAll(this.#file);
  }

  /** The files stay; they are the folder's. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  get #buckets(): number {
    return this.#numbers.length / NUMBERS_A_BUCKET;
  }

  #put(first: number, second: number, mask: Mask): void {
    const bucket = (first & (this.#buckets - 1)) >>> 0;
    const rest = this.#rest.get(bucket);
    const at = this.#placeOf(bucket, first, second, rest === undefined ? PLACES : REST_PLACE);
    const name = `${first} ${second}`;
    if (at !== undefined && rest?.has(name) !== true) {
      const wasFree = isFree(this.#numbers, at);
      if (wasFree && isEmpty(mask)) return;
      if (wasFree) this.#keys++;
      else if (isEmpty(mask)) this.#keys--;
      this.#numbers.set([first, second, mask.low, mask.high], at);
    } else if (rest !== undefined) {
      this.#setInRest(rest, name, mask);
      this.#showRest(bucket, rest);
    } else if (!isEmpty(mask)) {
      this.#beginRest(bucket, name, mask);
    }
    this.#write(bucket);
  }

  /** Where the key stands, or else a free place. */
  #placeOf(bucket: number, first: number, second: number, places: number): number | undefined {
    const numbers = this.#numbers;
    let free: number | undefined;
    for (let place = 0; place < places; place++) {
      const at = bucket * NUMBERS_A_BUCKET + place * NUMBERS_A_PLACE;
      if (isFree(numbers, at)) free ??= at;
      else if (numbers[at] === first && numbers[at + 1] === second) return at;
    }
    return free;
  }

  #setInRest(rest: Map<string, Mask>, name: string, mask: Mask): void {
    if (isEmpty(mask)) {
      if (rest.delete(name)) this.#keys--;
    } else {
      if (!rest.has(name)) this.#keys++;
      rest.set(name, mask);
    }
  }

  /** The last place becomes that of all that find none; the key that has it, of one more bit for a moment, is found there at any time. */
  #beginRest(bucket: number, name: string, mask: Mask): void {
    const at = bucket * NUMBERS_A_BUCKET + REST_PLACE * NUMBERS_A_PLACE;
    const [first = 0, second = 0, low = 0, high = 0] = this.#numbers.subarray(at, at + NUMBERS_A_PLACE);
    const rest = new Map([[`${first} ${second}`, { low, high }]]);
    this.#rest.set(bucket, rest);
    this.#setInRest(rest, name, mask);
    this.#showRest(bucket, rest);
    this.#write(bucket);
    // The one number that says so, alone: a reader sees it as it was, or as it is.
    this.#numbers[at] = REST;
  }

  #showRest(bucket: number, rest: Map<string, Mask>): void {
    const at = bucket * NUMBERS_A_BUCKET + REST_PLACE * NUMBERS_A_PLACE;
    let low = 0;
    let high = 0;
    for (const mask of rest.values()) {
      low |= mask.low;
      high |= mask.high;
    }
    this.#numbers[at + 2] = low;
    this.#numbers[at + 3] = high;
    if (rest.size === 0) this.#rest.delete(bucket);
  }

  #write(bucket: number): void {
    if (this.#file === undefined) return;
    const at = bucket * BUCKET_BYTES;
    writeSync(this.#file, bytesOf(this.#numbers), at, BUCKET_BYTES, HEAD_BYTES + at);
  }

  #writeAll(file: number): void {
    const bytes = bytesOf(this.#numbers);
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, HEAD_BYTES + at);
  }

  #grow(): void {
    const before = this.#numbers;
    const rest = [...this.#rest.values()].flatMap((keys) => [...keys]);
    const old = this.#file;
    this.#file = undefined;
    this.#numbers = new Int32Array(2 * before.length);
    this.#rest.clear();
    this.#keys = 0;
    for (let at = 0; at < before.length; at += NUMBERS_A_PLACE) {
      const first = before[at] ?? 0;
      if (first !== REST && !isFree(before, at))
        this.#put(first, before[at + 1] ?? 0, { low: before[at + 2] ?? 0, high: before[at + 3] ?? 0 });
    }
    for (const [name, mask] of rest) {
      const [first = 0, second = 0] = name.split(" ").map(Number);
      this.#put(first, second, mask);
    }
    this.#generation++;
    this.#file = this.#create();
    if (old === undefined) return;
    // From here on nobody finds anything in the old one.
    ftruncateSync(old, HEAD_BYTES);
    closeSync(old);
  }

  #create(): number {
    const file = openSync(fileOf(this.#path, this.#generation), "wx", 0o600);
    writeSync(file, this.#head, 0, HEAD_BYTES, 0);
    this.#writeAll(file);
    return file;
  }
}

const isEmpty = ({ low, high }: Mask): boolean => low === 0 && high === 0;

const isFree = (numbers: Int32Array, at: number): boolean => numbers[at + 2] === 0 && numbers[at + 3] === 0;

const bytesOf = (numbers: Int32Array): Buffer => Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);
