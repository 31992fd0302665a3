/**
 * What has been read from each source. Every node numbers its entries without holes, so a number that was seen is a duplicate (its XADD was applied
 * and its reply lost), and a hole is a loss (trimmed before it was read, or acknowledged by a master that was lost).
 */
interface Source {
  n: number;
  seenAtMs: number;
  /** A gap that has been counted is why the next hole is there. */
  explained: boolean;
}

export class Sources {
  readonly #byUid = new Map<string, Source>();
  #isExplained = false;

  get size(): number {
    return this.#byUid.size;
  }

  /** Whether what the last {@link accept} found missing is part of a gap that has been counted. */
  get isExplained(): boolean {
    return this.#isExplained;
  }

  /** @returns -1 for a duplicate, else how many messages of that source were missed before this one */
  accept(uid: string, n: number, nowMs: number): number {
    const source = this.#byUid.get(uid);
    if (source === undefined) {
      this.#byUid.set(uid, { n, seenAtMs: nowMs, explained: false });
      return 0;
    }
    if (n <= source.n) return -1;
    const missed = n - source.n - 1;
    this.#isExplained = source.explained;
    source.n = n;
    source.seenAtMs = nowMs;
    source.explained = false;
    return missed;
  }

  /** @returns number of the last entry that was read of that source; 0 where none was */
  last(uid: string): number {
    return this.#byUid.get(uid)?.n ?? 0;
  }

  /** When it was read; -Infinity where none was. */
  seenAtMs(uid: string): number {
    return this.#byUid.get(uid)?.seenAtMs ?? -Infinity;
  }

  /** A gap has been counted: its holes are no further ones. */
  explain(): void {
    for (const source of this.#byUid.values()) source.explained = true;
  }

  /** Forgets sources that were silent since then: their entries are out of the stream. */
  forget(beforeMs: number): void {
    for (const [uid, { seenAtMs }] of this.#byUid) if (seenAtMs < beforeMs) this.#byUid.delete(uid);
  }
}
