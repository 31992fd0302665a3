/**
 * Requests of this node's workers to the rest of the fleet. Each server with the namespace open answers once, a limpet node for all its workers; the
 * request is settled when each of those has answered or is gone.
 */
import { BROADCAST_ACK, BROADCAST_CLIENT_COUNT, FETCH_SOCKETS_RESPONSE, SERVER_SIDE_EMIT_RESPONSE } from "./entry.js";
import type { LocalSide } from "./local-side.js";

/** How many servers have a namespace open beside this node, and which of those named are among them. */
export type CountServers = (
  nsp: string,
  uids: readonly string[],
) => Promise<{ readonly others: number; readonly alive: ReadonlySet<string> }>;

export interface AskingOptions {
  readonly local: LocalSide;
  readonly countServers: CountServers;
  readonly now: () => number;
  readonly onFailure: (error: Error) => void;
}

interface Answered {
  /** Clients whose acks are to come; set by the count of a broadcast with ack. */
  clients: number | undefined;
  acks: number;
  /** It has said all it will. */
  done: boolean;
}

interface Pending {
  readonly wid: number;
  readonly nsp: string;
  readonly expiresAtMs: number;
  /** Servers that owe an answer, where it is known. */
  expected: number | undefined;
  readonly answered: Map<string, Answered>;
}

/** What comes on the private channel. */
export interface Response {
  readonly uid: string;
  readonly type: number;
  readonly data: {
    readonly requestId: string;
    readonly sockets?: readonly unknown[];
    readonly packet?: unknown;
    /** Of a limpet node: one for each of its workers. */
    readonly packets?: readonly unknown[];
    readonly clientCount?: number;
    /** Of a limpet node: so many of its workers have not answered. */
    readonly silent?: number;
  };
}

export class Asking {
  readonly #options: AskingOptions;
  readonly #pending = new Map<string, Pending>();

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#pending.size;
  }

  open(id: string, wid: number, nsp: string, timeoutMs: number): void {
    const expiresAtMs = this.#options.now() + timeoutMs;
    this.#pending.set(id, { wid, nsp, expiresAtMs, expected: undefined, answered: new Map() });
    this.#count(id).catch(this.#options.onFailure);
  }

  onResponse({ uid, type, data }: Response): void {
    const { requestId } = data;
    const pending = this.#pending.get(requestId);
    if (pending === undefined) return;
    const { wid, nsp } = pending;
    let one = pending.answered.get(uid);
    if (one === undefined) pending.answered.set(uid, (one = { clients: undefined, acks: 0, done: false }));
    const { local } = this.#options;
    switch (type) {
      case FETCH_SOCKETS_RESPONSE:
        if (!Array.isArray(data.sockets)) throw new Error("an answer without sockets");
        local.answer(wid, nsp, type, { requestId, sockets: data.sockets });
        one.done = data.silent === undefined;
        break;
      case SERVER_SIDE_EMIT_RESPONSE:
        for (const packet of data.packets ?? [data.packet]) local.answer(wid, nsp, type, { requestId, packet });
        one.done = data.silent === undefined;
        break;
      case BROADCAST_CLIENT_COUNT:
        one.clients = Number(data.clientCount);
        break;
      case BROADCAST_ACK:
        one.acks++;
        local.answer(wid, nsp, type, { requestId, packet: data.packet });
        break;
      default:
        throw new Error(`an answer of an unknown type ${type}`);
    }
    one.done ||= one.clients !== undefined && one.acks >= one.clients;
    this.#settleIfComplete(requestId, pending);
  }

  /** Drops servers that are gone from what is waited for, and requests that nobody waits for any more. Call from time to time. */
  check(): void {
    for (const [id, { expiresAtMs }] of this.#pending) {
      if (this.#options.now() >= expiresAtMs) this.#pending.delete(id);
      else this.#count(id).catch(this.#options.onFailure);
    }
  }

  /** The worker that asked has ended. */
  gone(wid: number): void {
    for (const [id, pending] of this.#pending) if (pending.wid === wid) this.#pending.delete(id);
  }

  async #count(id: string): Promise<void> {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    const asked = [...pending.answered.keys()];
    const { others, alive } = await this.#options.countServers(pending.nsp, asked);
    // Those that answered and have ended since count as well: they are among neither.
    const ended = asked.filter((uid) => !alive.has(uid));
    for (const uid of ended) {
      const one = pending.answered.get(uid);
      if (one !== undefined) one.done = true;
    }
    // Servers that have opened the namespace since owe nothing: the request was before them.
    pending.expected = Math.min(pending.expected ?? Infinity, others + ended.length);
    this.#settleIfComplete(id, pending);
  }

  #settleIfComplete(id: string, pending: Pending): void {
    if (pending.expected === undefined) return;
    let done = 0;
    for (const one of pending.answered.values()) if (one.done) done++;
    if (done < pending.expected || !this.#pending.delete(id)) return;
    this.#options.local.settle(pending.wid, pending.nsp, id);
  }
}
