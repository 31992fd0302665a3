/**
 * The type of an image by its first bytes. What a client claims is not asked: receivers show what this says.
 * SVG is left out on purpose, since it can carry scripts.
 */
const SIGNATURES: readonly { readonly type: string; readonly matches: (bytes: Uint8Array) => boolean }[] = [
  { type: "image/png", matches: (bytes) => has(bytes, 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) },
  { type: "image/jpeg", matches: (bytes) => has(bytes, 0, [0xff, 0xd8, 0xff]) },
  { type: "image/gif", matches: (bytes) => text(bytes, 0, "GIF87a") || text(bytes, 0, "GIF89a") },
  { type: "image/webp", matches: (bytes) => text(bytes, 0, "RIFF") && text(bytes, 8, "WEBP") },
];

const has = (bytes: Uint8Array, offset: number, expected: readonly number[]): boolean =>
  expected.every((byte, index) => bytes[offset + index] === byte);

const text = (bytes: Uint8Array, offset: number, expected: string): boolean =>
  has(
    bytes,
    offset,
    [...expected].map((char) => char.charCodeAt(0)),
  );

/** A media type, or undefined where the bytes are none of PNG, JPEG, GIF and WebP. */
export function imageType(bytes: Uint8Array): string | undefined {
  return SIGNATURES.find(({ matches }) => matches(bytes))?.type;
}
