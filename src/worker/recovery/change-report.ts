/** Changes of this worker's sessions, until the next interest message takes them along. */
import type { SessionChange } from "../../link/recovery-messages.js";

export interface ChangeBatch {
  readonly changes: readonly SessionChange[];
  readonly body: Buffer;
}

export class ChangeReport {
  readonly #due: () => void;
  #changes: SessionChange[] = [];
  #bodies: Buffer[] = [];

  /** @param due sees to it that {@link take} is called within this turn of the event loop */
  constructor(due: () => void) {
    this.#due = due;
  }

  /** @param data of the changes that carry some */
  add(change: SessionChange, data?: Buffer): void {
    if (data !== undefined) this.#bodies.push(data);
    if (this.#changes.push(change) === 1) this.#due();
  }

  /** @returns undefined where nothing has changed */
  take(): ChangeBatch | undefined {
    if (this.#changes.length === 0) return undefined;
    const batch = { changes: this.#changes, body: Buffer.concat(this.#bodies) };
    this.#changes = [];
    this.#bodies = [];
    return batch;
  }
}
