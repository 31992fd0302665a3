/** What waits for Redis: in order, bounded in bytes. What is over the bound is refused, so that what was taken keeps its order without holes. */
import type { StreamEntry } from "./entry.js";

interface OutboxItem {
  readonly entry: StreamEntry;
  readonly bytes: number;
}

/** Of an entry's own, beside its fields: the arrays and strings in memory. */
const ENTRY_OVERHEAD_BYTES = 200;

export class Outbox {
  readonly #maxBytes: number;
  #items: OutboxItem[] = [];
  /** Items before this one have left. */
  #head = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Whether an entry with so many bytes of payload may be taken: what is not need not be encoded. */
  fits(payloadBytes: number): boolean {
    return this.#bytes + payloadBytes + ENTRY_OVERHEAD_BYTES <= this.#maxBytes;
  }

  /** @returns whether it was taken */
  push(entry: StreamEntry): boolean {
    const bytes = ENTRY_OVERHEAD_BYTES + entry.header.length + (entry.data?.length ?? 0);
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#items.push({ entry, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** The oldest items, at least one where there is one. */
  peek(maxItems: number, maxBytes: number): readonly StreamEntry[] {
    const batch: StreamEntry[] = [];
    let bytes = 0;
    for (let i = this.#head; i < this.#items.length && batch.length < maxItems; i++) {
      const item = this.#items[i];
      if (item === undefined || (batch.length > 0 && bytes + item.bytes > maxBytes)) break;
      batch.push(item.entry);
      bytes += item.bytes;
    }
    return batch;
  }

  /** Drops the oldest items: they are in the stream. */
  shift(count: number): void {
    for (let i = 0; i < count; i++) this.#bytes -= this.#items[this.#head + i]?.bytes ?? 0;
    this.#head += count;
    if (this.#head < 1024 && this.#head < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
