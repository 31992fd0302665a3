/**
 * Where a worker hears from its siblings, and of them: one pipe for all, so that what one says after another is heard after it. Each write is a chunk, `u32 wid of
 * who wrote | u16 length | bytes`; the chunks of one writer, one after another, are its frames ({@link ./frame.ts}).
 */
import { apart, FrameReader, type OnFrame } from "./frame.js";

/** @param wid of who wrote it */
export type OnInletFrame = (header: unknown, body: Buffer, wid: number) => void;

export const CHUNK_HEAD_BYTES = 6;
const NOTHING_KEPT: Buffer = Buffer.alloc(0);

export class Inlet {
  readonly #onFrame: OnFrame;
  readonly #readers = new Map<number, FrameReader>();
  /** Who wrote what is read now. */
  #wid = 0;
  /** The beginning of a chunk. */
  #kept = NOTHING_KEPT;

  constructor(onFrame: OnInletFrame) {
    this.#onFrame = apart((header, body) => onFrame(header, body, this.#wid));
  }

  /** @throws RangeError or SyntaxError where what a worker has written are no frames; the inlet is useless afterwards */
  push(bytes: Buffer): void {
    const all = this.#kept.length === 0 ? bytes : Buffer.concat([this.#kept, bytes]);
    let at = 0;
    while (all.length - at >= CHUNK_HEAD_BYTES) {
      const end = at + CHUNK_HEAD_BYTES + all.readUInt16BE(at + 4);
      if (end > all.length) break;
      this.#read(all.readUInt32BE(at), all.subarray(at + CHUNK_HEAD_BYTES, end));
      at = end;
    }
    this.#kept = at === all.length ? NOTHING_KEPT : all.subarray(at);
  }

  /** That worker has ended, in the middle of a frame perhaps. */
  forget(wid: number): void {
    this.#readers.delete(wid);
  }

  #read(wid: number, bytes: Buffer): void {
    let reader = this.#readers.get(wid);
    if (reader === undefined) this.#readers.set(wid, (reader = new FrameReader()));
    this.#wid = wid;
    reader.push(bytes, this.#onFrame);
  }
}
