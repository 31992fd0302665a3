/**
 * Where the primary posts who wants what, and workers look it up when they publish: each worker has a bit, and each key below the mask of those it is for. What
 * the hub has taken in before is found; so once a client's join is `known`, every worker that publishes after that finds it.
 */
import type { MaskTable } from "../lib/mask-table.js";
import type { MaskReader } from "../lib/mask-reader.js";

export const MAX_BITS = 64;

/** Names of different namespaces and rooms must not make the same key, or one would take the other's bits away. */
const keyOf = (kind: string, nsp: string, rest = ""): string => `${kind}${nsp.length} ${nsp}${rest}`;

/** Who has the namespace open. */
export const openKey = (nsp: string): string => keyOf("o", nsp);
/** Who has sockets in it. */
export const occupiedKey = (nsp: string): string => keyOf("n", nsp);
/** Who has members in the room. */
export const roomKey = (nsp: string, room: string | number): string =>
  keyOf(typeof room === "string" ? "s" : "i", nsp, String(room));
/** Whose sockets' ids begin with that. */
export const prefixKey = (prefix: string): string => keyOf("p", prefix);

/** The primary's side. */
export class Board {
  readonly #table: MaskTable;
  readonly #bits = new Map<number, number>();
  /** The one that was given back first is given first, so that nobody mistakes a new worker for the last one of its bit. */
  readonly #free = Array.from({ length: MAX_BITS }, (_, bit) => bit);

  constructor(table: MaskTable) {
    this.#table = table;
  }

  /** Keys that are posted. */
  get size(): number {
    return this.#table.size;
  }

  /** @throws Error where there are too many workers: no node has them */
  add(wid: number): void {
    const bit = this.#free.shift();
    if (bit === undefined) throw new Error("more workers than bits");
    this.#bits.set(wid, bit);
    this.#table.setHead(bit, wid);
  }

  /** Takes its bit out of all masks. */
  remove(wid: number): void {
    const bit = this.#bits.get(wid);
    if (bit === undefined) return;
    this.#bits.delete(wid);
    this.#table.clear(bit);
    this.#free.push(bit);
  }

  /** @param wids all whom it is for */
  post(key: string, wids: Iterable<{ readonly wid: number }>): void {
    let low = 0;
    let high = 0;
    for (const { wid } of wids) {
      const bit = this.#bits.get(wid);
      if (bit === undefined) continue;
      if (bit < 32) low |= 1 << bit;
      else high |= 1 << (bit - 32);
    }
    this.#table.set(key, { low, high });
  }

  close(): void {
    this.#table.close();
  }
}

/** The worker's side. */
export class BoardReader {
  readonly #table: MaskReader;
  /** Of what was added since {@link clear}. */
  low = 0;
  high = 0;

  constructor(table: MaskReader) {
    this.#table = table;
  }

  /** Adds the bits of a key to what was {@link low} and {@link high}. */
  add(key: string): void {
    this.#table.find(key);
    this.low |= this.#table.low;
    this.high |= this.#table.high;
  }

  clear(): void {
    this.low = 0;
    this.high = 0;
  }

  /** Of the worker that has that bit. */
  widOf(bit: number): number {
    return this.#table.head(bit);
  }

  close(): void {
    this.#table.close();
  }
}
