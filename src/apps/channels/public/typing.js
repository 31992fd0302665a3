/** Both sides of "is typing": what this page tells the room, and what the room tells it. */
const REPEAT_AFTER_MS = 2000;
const FORGET_AFTER_MS = 4500;

/** Tells the room at most every two seconds, and once when the text is gone. */
export class TypingSender {
  #tell;
  #toldAt = 0;

  constructor(tell) {
    this.#tell = tell;
  }

  input(hasText) {
    if (!hasText) this.stop();
    else if (Date.now() - this.#toldAt > REPEAT_AFTER_MS) {
      this.#toldAt = Date.now();
      this.#tell(true);
    }
  }

  stop() {
    if (this.#toldAt === 0) return;
    this.#toldAt = 0;
    this.#tell(false);
  }
}

/** Shows who types. The end of it may get lost, so everyone is forgotten after a while. */
export class TypingView {
  #node;
  #typists = new Map();

  constructor(node) {
    this.#node = node;
  }

  set({ id, name }, typing) {
    clearTimeout(this.#typists.get(id)?.timer);
    this.#typists.delete(id);
    if (typing)
      this.#typists.set(id, { name, timer: setTimeout(() => this.set({ id, name }, false), FORGET_AFTER_MS) });
    this.#render();
  }

  clear() {
    for (const { timer } of this.#typists.values()) clearTimeout(timer);
    this.#typists.clear();
    this.#render();
  }

  #render() {
    const names = [...this.#typists.values()].map(({ name }) => name);
    this.#node.textContent =
      names.length === 0
        ? ""
        : names.length < 3
          ? `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} typing…`
          : `${names.length} people are typing…`;
  }
}
