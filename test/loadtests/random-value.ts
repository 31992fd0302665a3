/** Random event arguments that JSON and attachments can carry, from a seed, so that a failure can be repeated. */

/** Mulberry32: small, even enough, and the same everywhere. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const TEXT = ["", "a", "ä", "€", "😀", "\n", '"', "\\", ",", "-", "/", "0", "b", "{", "[", "\u0000"];

export function randomText(random: () => number): string {
  return Array.from({ length: Math.floor(random() * 12) }, () => TEXT[Math.floor(random() * TEXT.length)]).join("");
}

export function randomBytes(random: () => number): ArrayBuffer {
  return Uint8Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256)).buffer;
}

/** At most `budget.attachments` buffers in all the values drawn with the same budget: parsers have a limit. */
export function randomValue(random: () => number, budget: { attachments: number }, depth = 0): unknown {
  const kind = Math.floor(random() * (depth < 3 ? 8 : 6));
  switch (kind) {
    case 0:
      return null;
    case 1:
      return random() < 0.5;
    case 2:
      return Math.floor((random() - 0.5) * 1e6) / 16;
    case 3:
    case 4:
      return randomText(random);
    case 5:
      return budget.attachments-- > 0 ? randomBytes(random) : "no more bytes";
    case 6:
      return Array.from({ length: Math.floor(random() * 4) }, () => randomValue(random, budget, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: Math.floor(random() * 4) }, () => [
          // "_placeholder" is the parsers' own word.
          `k${randomText(random)}`,
          randomValue(random, budget, depth + 1),
        ]),
      );
  }
}
