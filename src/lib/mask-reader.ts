/** Looks masks up that another process keeps ({@link ./mask-table.ts}): what it has set before is found, at one system call a key. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { digest, hash, type HashKey } from "./half-siphash.js";
import { BUCKET_BYTES, fileOf, HEAD_BYTES, NUMBERS_A_PLACE, PLACES, REST, REST_PLACE, usable } from "./mask-format.js";

/** Nobody has so many: something else is wrong. */
const MAX_GENERATIONS = 32;

export class MaskReader {
  readonly #path: string;
  readonly #key: HashKey;
  readonly #numbers = new Int32Array(PLACES * NUMBERS_A_PLACE);
  readonly #bytes = Buffer.from(this.#numbers.buffer);
  #generation = 0;
  #file: number;
  #buckets = 0;
  /** Of the last {@link find}. */
  low = 0;
  high = 0;

  /** @throws Error where there is no table */
  constructor(path: string, key: HashKey) {
    this.#path = path;
    this.#key = key;
    this.#file = openSync(fileOf(path, 0), "r");
    this.#measure();
  }

  /** Leaves the key's mask in {@link low} and {@link high}. */
  find(key: string): void {
    hash(key, this.#key);
    const first = usable(digest[0] ?? 0);
    const second = digest[1] ?? 0;
    while (!this.#read(first & (this.#buckets - 1))) this.#next();
    const numbers = this.#numbers;
    for (let at = 0; at < numbers.length; at += NUMBERS_A_PLACE) {
      if (numbers[at] === first && numbers[at + 1] === second) {
        this.low = numbers[at + 2] ?? 0;
        this.high = numbers[at + 3] ?? 0;
        if (this.low !== 0 || this.high !== 0) return;
      }
    }
    const rest = REST_PLACE * NUMBERS_A_PLACE;
    const hasRest = numbers[rest] === REST;
    this.low = hasRest ? (numbers[rest + 2] ?? 0) : 0;
    this.high = hasRest ? (numbers[rest + 3] ?? 0) : 0;
  }

  /** A number in the file's head. */
  head(at: number): number {
    // Every later file begins with the same head: only the last one is written to.
    while (!this.#read(0)) this.#next();
    readSync(this.#file, this.#bytes, 0, 4, 4 * at);
    return this.#bytes.readUInt32LE(0);
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(bucket: number): boolean {
    return readSync(this.#file, this.#bytes, 0, BUCKET_BYTES, HEAD_BYTES + bucket * BUCKET_BYTES) === BUCKET_BYTES;
  }

  /** The table has grown. */
  #next(): void {
    if (++this.#generation > MAX_GENERATIONS) throw new Error("the table of masks cannot be read");
    const next = openSync(fileOf(this.#path, this.#generation), "r");
    closeSync(this.#file);
    this.#file = next;
    this.#measure();
  }

  #measure(): void {
    this.#buckets = Math.max(1, (fstatSync(this.#file).size - HEAD_BYTES) / BUCKET_BYTES);
  }
}
