/**
 * HalfSipHash-2-4 with 64 bits (Aumasson and Bernstein): a hash by a secret key, so that whoever chooses the text cannot choose two that collide. It works on
 * numbers of 32 bits, which is what JavaScript has fast; the text counts as its UTF-16 units, little-endian.
 */

/** Two secret numbers of 32 bits. */
export type HashKey = readonly [number, number];

/** What {@link hash} has found last. */
export const digest = new Int32Array(2);

/** Leaves the hash in {@link digest}: an array for each would cost more than the hash. */
export function hash(text: string, [k0, k1]: HashKey): void {
  v0 = k0;
  v1 = k1 ^ 0xee;
  v2 = 0x6c796765 ^ k0;
  v3 = 0x74656462 ^ k1;
  const paired = text.length & ~1;
  for (let at = 0; at < paired; at += 2) absorb(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16));
  const bytes = 2 * text.length;
  absorb(((bytes & 0xff) << 24) | (text.length > paired ? text.charCodeAt(paired) : 0));
  v2 ^= 0xee;
  rounds(4);
  digest[0] = v1 ^ v3;
  v1 ^= 0xdd;
  rounds(4);
  digest[1] = v1 ^ v3;
}

let v0 = 0;
let v1 = 0;
let v2 = 0;
let v3 = 0;

function absorb(word: number): void {
  v3 ^= word;
  rounds(2);
  v0 ^= word;
}

function rounds(count: number): void {
  for (let n = 0; n < count; n++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
}
