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

export class MetricsCollector {
  readonly #peers: () => readonly CollectorPeer[];
  readonly #timer: NodeJS.Timeout;
  #id = 0;
  #round: { readonly id: number; readonly missing: Set<number>; readonly done: () => void } | undefined;

  /** @param peers the workers that can be asked now */
  constructor(peers: () => readonly CollectorPeer[]) {
    this.#peers = peers;
    this.#timer = setInterval(() => this.#ask(), INTERVAL_MS);
    this.#timer.unref();
  }

  /** Asks every worker; returns when all have answered, or after {@link SCRAPE_WAIT_MS}. */
  async collect(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, SCRAPE_WAIT_MS);
      const previous = this.#round;
      const done = (): void => {
        clearTimeout(timer);
        previous?.done();
        resolve();
      };
      const missing = new Set(this.#peers().map(({ wid }) => wid));
      if (missing.size === 0) {
        done();
        return;
      }
      this.#round = { id: this.#ask(), missing, done };
    });
  }

  /** A worker has answered the question `id`. */
  answered(wid: number, id: number): void {
    const round = this.#round;
    if (round === undefined || id < round.id) return;
    round.missing.delete(wid);
    if (round.missing.size > 0) return;
    this.#round = undefined;
    round.done();
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
