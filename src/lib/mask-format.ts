/**
 * The file that {@link ./mask-table.ts} writes and {@link ./mask-reader.ts} reads: numbers of 64 bits, "masks", by the hash of a key.
 *
 * A head of {@link HEAD_BYTES}, whose content is the user's, then buckets of {@link BUCKET_BYTES}: places for {@link PLACES} keys, each `i32 hash, i32 hash,
 * u32 mask, u32 mask`, low half first, in the machine's byte order. A mask of 0 is a free place. The last place may hold the masks of all keys that found none,
 * together: then its first number is {@link REST}. The buckets are a power of two; a key is in the one that the low bits of its first number name.
 *
 * A table that has grown is a new file, whose name ends with the next number; the old one is cut to nothing behind its head when the new one is complete.
 */
export const HEAD_BYTES = 4096;
export const BUCKET_BYTES = 64;
export const PLACES = 4;
export const NUMBERS_A_PLACE = 4;
export const REST_PLACE = PLACES - 1;

export const REST = -1;

/** The first number of a key's hash, which must not be {@link REST}. */
export const usable = (first: number): number => (first === REST ? first ^ 1 : first);

export const fileOf = (path: string, generation: number): string => `${path}.${generation}`;
