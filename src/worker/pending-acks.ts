/** The callbacks of acks that a socket's client still owes. When there is one too many the oldest is given up, as if its client never answered. */
import type { Socket as EngineSocket } from "engine.io";

/** Shared by all sockets. */
export interface AckBound {
  readonly maxPendingAcks: number;
  onGivenUp(session: EngineSocket): void;
}

export class PendingAcks<Callback> extends Map<number, Callback> {
  readonly #bound: AckBound;
  readonly #session: EngineSocket;

  constructor(bound: AckBound, session: EngineSocket) {
    super();
    this.#bound = bound;
    this.#session = session;
  }

  override set(id: number, callback: Callback): this {
    if (this.size >= this.#bound.maxPendingAcks && !this.has(id)) {
      const [oldest] = this.keys();
      if (oldest !== undefined) this.delete(oldest);
      this.#bound.onGivenUp(this.#session);
    }
    return super.set(id, callback);
  }
}
