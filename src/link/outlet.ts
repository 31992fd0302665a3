/**
 * What one process writes to a worker's inlet ({@link ./inlet.ts}): frames in order, as many of them in one write as the kernel takes whole, and a bound on what may
 * wait for a worker that does not read.
 */
import { copyOf } from "../lib/copy-of.js";
import { ATOMIC_BYTES, type FifoWriter } from "../lib/fifo.js";
import { CHUNK_HEAD_BYTES } from "./inlet.js";

/** So many that are written stay in the queue at most: to take them out costs as much as there are behind them. */
const KEPT_BUFFERS = 4096;

const WRITTEN: Buffer = Buffer.alloc(0);

/** One for all: it is filled and written without a pause between. */
const chunk = Buffer.allocUnsafeSlow(ATOMIC_BYTES);

interface Filled {
  /** Where the chunk ends. */
  readonly end: number;
  /** How many buffers of the queue it has to their end. */
  readonly count: number;
  /** How much of the one behind them. */
  readonly written: number;
}

export class Outlet {
  readonly #wid: number;
  readonly #pipe: FifoWriter;
  readonly #maxQueueBytes: number;
  #queue: Buffer[] = [];
  /** Those before this one are written. */
  #head = 0;
  /** Of the first in the queue, what is written. */
  #written = 0;
  #queueBytes = 0;
  #isWaiting = false;
  #isGone = false;

  /** @param wid of who writes */
  constructor(wid: number, pipe: FifoWriter, maxQueueBytes: number) {
    this.#wid = wid;
    this.#pipe = pipe;
    this.#maxQueueBytes = maxQueueBytes;
  }

  get queueBytes(): number {
    return this.#queueBytes;
  }

  /** Nobody reads any more. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Queues a frame until {@link flush}. @returns false where the bound is reached: it was dropped, the caller counts it */
  hold(frame: readonly Buffer[]): boolean {
    if (this.#queueBytes >= this.#maxQueueBytes) return false;
    this.keep(frame);
    return true;
  }

  /** The same of what must arrive, whatever the bound. */
  keep(frame: readonly Buffer[]): void {
    if (this.#isGone) return;
    for (const buffer of frame) {
      this.#queue.push(buffer);
      this.#queueBytes += buffer.length;
    }
  }

  /** Writes what is queued, as far as the worker reads. */
  flush(): void {
    while (this.#head < this.#queue.length && !this.#isWaiting) {
      const next = this.#fill();
      const result = this.#pipe.write(chunk, next.end);
      if (result === "written") this.#wrote(next);
      else if (result === "gone") this.#forget();
      else {
        this.#isWaiting = true;
        this.#pipe.writeLater(copyOf(chunk, next.end), (later) => {
          this.#isWaiting = false;
          if (this.#isGone) return;
          if (later === "gone") this.#forget();
          else this.#wrote(next);
          this.flush();
        });
      }
    }
  }

  close(): void {
    this.#forget();
    this.#pipe.close();
  }

  #wrote({ end, count, written }: Filled): void {
    this.#queueBytes -= end - CHUNK_HEAD_BYTES;
    this.#written = written;
    const head = this.#head + count;
    if (head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
      return;
    }
    // What is written is not kept in memory by the queue.
    this.#queue.fill(WRITTEN, this.#head, head);
    this.#head = head;
    if (head < KEPT_BUFFERS) return;
    this.#queue = this.#queue.slice(head);
    this.#head = 0;
  }

  /** Fills the chunk from the queue. */
  #fill(): Filled {
    let end = CHUNK_HEAD_BYTES;
    let count = 0;
    let written = this.#written;
    for (let at = this.#head; at < this.#queue.length && end < ATOMIC_BYTES; at++) {
      const buffer = this.#queue[at];
      if (buffer === undefined) break;
      const length = Math.min(buffer.length - written, ATOMIC_BYTES - end);
      chunk.set(written === 0 && length === buffer.length ? buffer : buffer.subarray(written, written + length), end);
      end += length;
      written += length;
      if (written < buffer.length) break;
      count++;
      written = 0;
    }
    chunk.writeUInt32BE(this.#wid, 0);
    chunk.writeUInt16BE(end - CHUNK_HEAD_BYTES, 4);
    return { end, count, written };
  }

  #forget(): void {
    this.#isGone = true;
    this.#queue = [];
    this.#head = 0;
    this.#queueBytes = 0;
  }
}
