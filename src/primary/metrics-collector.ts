/**
 * Asks the workers for their metrics at each scrape, and does not wait for a busy one: what it said last is what counts until it says more. Between
 * scrapes nobody is asked: workers tell by themselves what must outlive them.
 */
const SCRAPE_WAIT_MS = 250;

export interface CollectorPeer {
  readonly wid: number;
  send(message: { readonly t: "collect"; readonly id: number }): void;
}

interface Round {
  readonly id: number;
  /** Workers that have not answered this question or a later one. */
  readonly missing: Set<number>;
  readonly done: () => void;
}

export class MetricsCollector {
  readonly #peers: () => readonly CollectorPeer[];
  readonly #rounds = new Set<Round>();
  #id = 0;

  /** @param peers the workers that can be asked now */
  constructor(peers: () => readonly CollectorPeer[]) {
    this.#peers = peers;
  }

  /** Asks every worker; returns when all have answered, or after {@link SCRAPE_WAIT_MS}. */
  async collect(): Promise<void> {
    const missing = new Set(this.#peers().map(({ wid }) => wid));
    const id = this.#ask();
    if (missing.size === 0) return;
    await new Promise<void>((resolve) => {
      const round: Round = {
        id,
        missing,
        done: () => {
          clearTimeout(timer);
          this.#rounds.delete(round);
          resolve();
        },
      };
      const timer = setTimeout(round.done, SCRAPE_WAIT_MS);
      this.#rounds.add(round);
    });
  }

  /** A worker has answered the question `id`. */
  answered(wid: number, id: number): void {
    for (const round of this.#rounds) {
      if (id < round.id || !round.missing.delete(wid)) continue;
      if (round.missing.size === 0) round.done();
    }
  }

  #ask(): number {
    const id = ++this.#id;
    for (const peer of this.#peers()) peer.send({ t: "collect", id });
    return id;
  }
}
