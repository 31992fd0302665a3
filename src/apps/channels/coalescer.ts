/**
 * Bounds an expensive look-up that many ask for at once: one runs at a time for each key, and whoever asks while it
 * runs shares the next one. So nobody gets an answer that is older than the question.
 */
export class Coalescer<T> {
  readonly #running = new Map<string, Promise<T>>();
  readonly #next = new Map<string, Promise<T>>();

  /** @throws whatever `task` throws, to everyone who shares it */
  run(key: string, task: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running === undefined) return this.#start(key, task);
    const shared = this.#next.get(key);
    if (shared !== undefined) return shared;
    const follow = (): Promise<T> => {
      this.#next.delete(key);
      return this.#start(key, task);
    };
    const next = running.then(follow, follow);
    this.#next.set(key, next);
    return next;
  }

  #start(key: string, task: () => Promise<T>): Promise<T> {
    const started = task().finally(() => {
      if (this.#running.get(key) === started) this.#running.delete(key);
    });
    this.#running.set(key, started);
    return started;
  }
}
