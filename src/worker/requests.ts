/**
 * Requests to the other workers that wait for replies. The hub says whom a request went to; a request is complete when each of those has
 * said all it will or has ended. Timers are the caller's, so that each kind of request decides what a silent worker means.
 */
import { randomUUID } from "node:crypto";

export interface RequestHandler {
  /** @returns whether this worker has now said all it will */
  onReply(wid: number, type: number, data: unknown): boolean;
  onComplete(): void;
}

interface Pending {
  readonly handler: RequestHandler;
  /** Workers that still owe an answer; undefined until the hub has said whom the request went to. */
  waiting: Set<number> | undefined;
}

export class Requests {
  readonly #pending = new Map<string, Pending>();

  get size(): number {
    return this.#pending.size;
  }

  /** @returns the id the request must carry */
  open(handler: RequestHandler): string {
    const id = randomUUID();
    this.#pending.set(id, { handler, waiting: undefined });
    return id;
  }

  /** Drops a request that nobody waits for any more. @returns how many workers still owed an answer */
  abandon(id: string): number {
    const waiting = this.#pending.get(id)?.waiting;
    this.#pending.delete(id);
    return waiting?.size ?? 0;
  }

  expect(id: string, wids: readonly number[]): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    pending.waiting = new Set(wids);
    this.#settle(id, pending);
  }

  reply(id: string, wid: number, type: number, data: unknown): void {
    const pending = this.#pending.get(id);
    if (pending === undefined || !pending.waiting?.has(wid)) return;
    if (!pending.handler.onReply(wid, type, data)) return;
    pending.waiting.delete(wid);
    this.#settle(id, pending);
  }

  /** One of several replies of that worker: {@link none} ends them. */
  part(id: string, wid: number, type: number, data: unknown): void {
    const pending = this.#pending.get(id);
    if (pending?.waiting?.has(wid)) pending.handler.onReply(wid, type, data);
  }

  /** That worker has nothing, or nothing more, to say to it. */
  none(id: string, wid: number): void {
    const pending = this.#pending.get(id);
    if (pending?.waiting?.delete(wid)) this.#settle(id, pending);
  }

  gone(wid: number): void {
    for (const [id, pending] of [...this.#pending]) {
      if (pending.waiting?.delete(wid)) this.#settle(id, pending);
    }
  }

  #settle(id: string, pending: Pending): void {
    if (pending.waiting?.size !== 0) return;
    this.#pending.delete(id);
    pending.handler.onComplete();
  }
}
