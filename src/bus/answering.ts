/**
 * Requests of other servers to this node: asked of each worker they concern, answered once for the whole node. A worker that ends owes nothing any
 * more; one that stays silent is named in the answer to a limpet node, shortly before that one gives up.
 */
import {
  BROADCAST,
  BROADCAST_ACK,
  BROADCAST_CLIENT_COUNT,
  FETCH_SOCKETS,
  FETCH_SOCKETS_RESPONSE,
  SERVER_SIDE_EMIT_RESPONSE,
} from "./entry.js";

export interface Asked {
  readonly id: string;
  /** The server that asks. */
  readonly uid: string;
  readonly nsp: string;
  readonly type: number;
  readonly timeoutMs: number;
  /** Whether it is a limpet node: it takes answers with parts missing. */
  readonly takesParts: boolean;
}

export interface AnsweringOptions {
  readonly respond: (uid: string, nsp: string, type: number, data: object) => void;
}

interface Open {
  readonly asked: Asked;
  /** Workers that owe an answer, with the acks that each owes where it is a broadcast. */
  readonly waiting: Map<number, { clients: number | undefined; acks: number }>;
  readonly collected: unknown[];
  acks: number;
  readonly timer: NodeJS.Timeout;
}

/** The share of the asker's time after which an answer leaves with parts missing. */
const PARTIAL_AFTER = 0.8;

export class Answering {
  readonly #options: AnsweringOptions;
  readonly #open = new Map<string, Open>();

  constructor(options: AnsweringOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  /** @param wids the workers that were asked */
  ask(asked: Asked, wids: readonly number[]): void {
    const isPartial = asked.takesParts && asked.type !== BROADCAST;
    const timer = setTimeout(() => this.#giveUp(asked.id), asked.timeoutMs * (isPartial ? PARTIAL_AFTER : 1));
    const waiting = new Map(wids.map((wid) => [wid, { clients: undefined, acks: 0 }]));
    const open: Open = { asked, waiting, collected: [], acks: 0, timer };
    this.#open.set(asked.id, open);
    this.#answerIfComplete(open);
  }

  /** @param type 0: that worker has nothing to say */
  onReply(wid: number, type: number, data: { readonly requestId?: unknown } & Record<string, unknown>): void {
    const open = this.#open.get(String(data.requestId));
    const owed = open?.waiting.get(wid);
    if (open === undefined || owed === undefined) return;
    let done = true;
    switch (type) {
      case FETCH_SOCKETS_RESPONSE:
        open.collected.push(...(data["sockets"] as unknown[]));
        break;
      case SERVER_SIDE_EMIT_RESPONSE:
        open.collected.push(data["packet"]);
        break;
      case BROADCAST_CLIENT_COUNT:
        owed.clients = data["clientCount"] as number;
        done = owed.acks >= owed.clients;
        break;
      case BROADCAST_ACK: {
        const { id: requestId, uid, nsp } = open.asked;
        owed.acks++;
        open.acks++;
        this.#options.respond(uid, nsp, BROADCAST_ACK, { requestId, packet: data["packet"] });
        done = owed.acks === owed.clients;
        break;
      }
    }
    if (!done) return;
    open.waiting.delete(wid);
    this.#answerIfComplete(open);
  }

  gone(wid: number): void {
    for (const open of [...this.#open.values()]) if (open.waiting.delete(wid)) this.#answerIfComplete(open);
  }

  stop(): void {
    for (const { timer } of this.#open.values()) clearTimeout(timer);
    this.#open.clear();
  }

  #answerIfComplete(open: Open): void {
    if (open.waiting.size > 0) return;
    this.#close(open);
    this.#answer(open, undefined);
  }

  #giveUp(id: string): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#close(open);
    if (open.asked.takesParts && open.asked.type !== BROADCAST) this.#answer(open, open.waiting.size);
  }

  #close({ asked, timer }: Open): void {
    clearTimeout(timer);
    this.#open.delete(asked.id);
  }

  #answer({ asked, collected, acks }: Open, silent: number | undefined): void {
    const { id: requestId, uid, nsp, type } = asked;
    const { respond } = this.#options;
    const rest = silent === undefined ? {} : { silent };
    if (type === BROADCAST) respond(uid, nsp, BROADCAST_CLIENT_COUNT, { requestId, clientCount: acks });
    else if (type === FETCH_SOCKETS)
      respond(uid, nsp, FETCH_SOCKETS_RESPONSE, { requestId, sockets: collected, ...rest });
    // A stock server reads `packet`: to it a node is one server, and the first of its workers speaks for it.
    else respond(uid, nsp, SERVER_SIDE_EMIT_RESPONSE, { requestId, packet: collected[0], packets: collected, ...rest });
  }
}
