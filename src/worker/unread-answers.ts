/**
 * Answers to polls that the kernel has not taken whole because the client does not read them. Engine.IO is done with a poll once its answer is written;
 * a client that goes on polling, over connections that it does not read, would have it pile up answers without bound.
 */
import type { ServerResponse } from "node:http";
import type { Transport } from "engine.io";

export class UnreadAnswers {
  readonly #answers = new WeakMap<Transport, Set<ServerResponse>>();
  readonly #idleMs: number;

  /** @param idleMs how long an answer may stay without progress; then its connection is closed, whatever has become of the session */
  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  bytes(transport: Transport): number {
    let bytes = 0;
    for (const answer of this.#answers.get(transport) ?? []) bytes += answer.socket?.writableLength ?? 0;
    return bytes;
  }

  /** Watches an answer that was written, if the kernel has not taken all of it. */
  watch(transport: Transport, answer: ServerResponse): void {
    if (answer.writableFinished || !answer.socket?.writableLength) return;
    const answers = this.#answers.get(transport) ?? new Set();
    this.#answers.set(transport, answers.add(answer));
    // Without a listener Node closes the connection; once the answer is out, its keep-alive timeout takes the place of this one.
    answer.setTimeout(this.#idleMs);
    answer.once("close", () => answers.delete(answer));
  }

  /** Closes the connections of all of them. */
  abandon(transport: Transport): void {
    for (const answer of this.#answers.get(transport) ?? []) answer.destroy();
  }
}
