/**
 * Keeps the workers' metrics up to date in the primary, so that a scrape never waits for a busy worker: each is asked every few seconds and at each
 * scrape, and what it said last is what counts until it says more.
 */
const SCRAPE_WAIT_MS = 250;
const INTERVAL_MS = 2_000;

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
  readonly #timer: NodeJS.Timeout;
  readonly #rounds = new Set<Round>();
  #id = 0;

  /** @param peers the workers that can be asked now */
  constructor(peers: () => readonly CollectorPeer[]) {
    this.#peers = peers;
    this.#timer = setInterval(() => this.#ask(), INTERVAL_MS);
    this.#timer.unref();
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

  stop(): void {
    clearInterval(this.#timer);
  }

  #ask(): number {
    const id = ++this.#id;
    for (const peer of this.#peers()) peer.send({ t: "collect", id });
    return id;
  }
}
