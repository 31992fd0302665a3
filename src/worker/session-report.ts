/** Tells the primary how many sessions have begun and ended, once for each turn of the event loop. */
import type { UpMessage } from "../link/messages.js";

export class SessionReport {
  readonly #send: (message: UpMessage) => void;
  #opened = 0;
  #closed = 0;

  constructor(send: (message: UpMessage) => void) {
    this.#send = send;
  }

  opened(): void {
    if (this.#opened++ + this.#closed === 0) setImmediate(this.#flush);
  }

  closed(): void {
    if (this.#opened + this.#closed++ === 0) setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#send({ t: "sessions", opened: this.#opened, closed: this.#closed });
    this.#opened = 0;
    this.#closed = 0;
  };
}
