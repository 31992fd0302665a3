/**
 * Plain events on their way to the hub. They leave together with what is written to clients: at the end of the turn, and later where {@link WriteTurn} has clients
 * wait, so that the primary and the other workers are not woken for each. What is queued behind them takes them along, so order is kept.
 */
import type { TurnWriter, WriteTurn } from "./write-turn.js";

export interface EventWire {
  /** Queues a message until {@link flush}, or until something else leaves. @returns false: it was dropped */
  hold(frame: readonly Buffer[]): boolean;
  flush(): void;
}

export class EventOutlet implements TurnWriter {
  readonly #wire: EventWire;
  readonly #turn: WriteTurn;
  #isQueued = false;

  constructor(wire: EventWire, turn: WriteTurn) {
    this.#wire = wire;
    this.#turn = turn;
  }

  /** @returns false where the wire is full: it was dropped, the caller counts it */
  offer(frame: readonly Buffer[]): boolean {
    if (!this.#wire.hold(frame)) return false;
    if (this.#isQueued) return true;
    this.#isQueued = true;
    this.#turn.add(this);
    return true;
  }

  write(): void {
    this.#isQueued = false;
    this.#wire.flush();
  }
}
