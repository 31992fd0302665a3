/** Questions to the hub that have one answer each, by number. */
export class Questions<T> {
  readonly #open = new Map<number, (answer: T) => void>();
  #next = 1;

  /** @param send sends the question with its number */
  ask(send: (id: number) => void): Promise<T> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#open.set(id, resolve);
      send(id);
    });
  }

  answer(id: number, answer: T): void {
    this.#open.get(id)?.(answer);
    this.#open.delete(id);
  }
}
