/**
 * What one process writes to a worker's inlet ({@link ./inlet.ts}): frames in order, as many of them in one write as the kernel takes whole, and a bound on what may
 * wait. What waits, because the worker does not read, is tried again every few milliseconds.
 */
import { ATOMIC_BYTES, type FifoWriter } from "../lib/fifo.js";
import { CHUNK_HEAD_BYTES } from "./inlet.js";

const RETRY_MS = 2;

/** One for all: it is filled and written without a pause between. */
const chunk = Buffer.allocUnsafeSlow(ATOMIC_BYTES);

export class Outlet {
  readonly #wid: number;
  readonly #pipe: FifoWriter;
  readonly #maxQueueBytes: number;
  #queue: Buffer[] = [];
  /** Of the first in the queue, what is written. */
  #written = 0;
  #queueBytes = 0;
  #retry: NodeJS.Timeout | undefined;
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
    // Until then the pipe is as full as it was.
    if (this.#retry !== undefined) return;
    while (this.#queue.length > 0) {
      const next = this.#fill();
      const result = this.#pipe.write(chunk, next.end);
      if (result === "full") {
        this.#retry = setTimeout(() => {
          this.#retry = undefined;
          this.flush();
        }, RETRY_MS);
        return;
      }
      if (result === "gone") {
        this.#forget();
        return;
      }
      this.#queueBytes -= next.end - CHUNK_HEAD_BYTES;
      this.#written = next.written;
      if (next.count === this.#queue.length) this.#queue = [];
      else if (next.count > 0) this.#queue.splice(0, next.count);
    }
  }

  close(): void {
    this.#forget();
    this.#pipe.close();
  }

  /** Fills the chunk from the queue. @returns where it ends, how many buffers it has to their end, and how much of the one behind them */
  #fill(): { readonly end: number; readonly count: number; readonly written: number } {
    let end = CHUNK_HEAD_BYTES;
    let count = 0;
    let written = this.#written;
    for (const buffer of this.#queue) {
      const length = Math.min(buffer.length - written, ATOMIC_BYTES - end);
      chunk.set(written === 0 && length === buffer.length ? buffer : buffer.subarray(written, written + length), end);
      end += length;
      written += length;
      if (written < buffer.length) break;
      count++;
      written = 0;
      if (end === ATOMIC_BYTES) break;
    }
    chunk.writeUInt32BE(this.#wid, 0);
    chunk.writeUInt16BE(end - CHUNK_HEAD_BYTES, 4);
    return { end, count, written };
  }

  #forget(): void {
    this.#isGone = true;
    this.#queue = [];
    this.#queueBytes = 0;
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }
}
