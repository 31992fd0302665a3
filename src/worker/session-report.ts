/**
 * Tells the primary how many sessions have begun and ended. It need not know at once: a session that begins counts as on its way until then. So what comes
 * within some milliseconds is told together, or two processes would be woken for each.
 */
import type { UpMessage } from "../link/messages.js";

const REPORT_MS = 20;

export class SessionReport {
  readonly #send: (message: UpMessage) => void;
  #opened = 0;
  #closed = 0;

  constructor(send: (message: UpMessage) => void) {
    this.#send = send;
  }

  opened(): void {
    if (this.#opened++ + this.#closed === 0) this.#schedule();
  }

  closed(): void {
    if (this.#opened + this.#closed++ === 0) this.#schedule();
  }

  #schedule(): void {
    setTimeout(this.#flush, REPORT_MS).unref();
  }

  readonly #flush = (): void => {
    this.#send({ t: "sessions", opened: this.#opened, closed: this.#closed });
    this.#opened = 0;
    this.#closed = 0;
  };
}
