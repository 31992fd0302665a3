/** A list that grows at its end and is cut at its start; both cost the same however long it is. */
const COMPACT_FROM = 64;

export class Fifo<Item> {
  #items: Item[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The oldest is 0. */
  at(index: number): Item | undefined {
    return this.#items[this.#head + index];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** Takes away the oldest. */
  shift(): Item | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head++];
    if (this.#head >= COMPACT_FROM && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** @returns how many at the start do not fit yet, where all that fit stand at the end */
  firstIndex(fits: (item: Item) => boolean): number {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (fits(this.at(middle) as Item)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
