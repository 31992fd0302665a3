/**
 * Copies of small buffers, one behind the other in larger ones. What is kept for minutes would otherwise hold on to whatever it was cut from: the chunk of a
 * socket, or Node's pool with everything else that was in it.
 */
const SLAB_BYTES = 64 * 1024;
/** Larger ones get memory of their own. */
const SHARE_BELOW_BYTES = SLAB_BYTES / 4;

export class Slabs {
  #slab = Buffer.alloc(0);
  #used = 0;

  keep(bytes: Buffer): Buffer {
    const { length } = bytes;
    if (length >= SHARE_BELOW_BYTES) {
      const copy = Buffer.allocUnsafeSlow(length);
      copy.set(bytes);
      return copy;
    }
    if (this.#used + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    const copy = this.#slab.subarray(this.#used, this.#used + length);
    copy.set(bytes);
    this.#used += length;
    return copy;
  }
}
