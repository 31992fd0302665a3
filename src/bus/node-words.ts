/** What limpet nodes say to each other, one to one, by pub/sub: everything of one turn of the event loop in one message. */
import { packMessage } from "../link/payload.js";

/** In the place of a namespace's name, which begins with a slash. */
export const NODE_SPACE = "limpet";

export interface NodeWordsOptions {
  /** Of this node. */
  readonly uid: string;
  readonly publish: (uid: string, message: Buffer) => Promise<unknown>;
  readonly onFailure: (error: unknown) => void;
}

/** Messages of this size are no burden to those that Redis serves besides. */
const MAX_MESSAGE_BYTES = 1_048_576;

interface Batch {
  readonly items: unknown[];
  bytes: number;
}

export class NodeWords {
  readonly #options: NodeWordsOptions;
  /** By node and type. */
  readonly #batches = new Map<string, Map<number, Batch>>();
  #scheduled = false;

  constructor(options: NodeWordsOptions) {
    this.#options = options;
  }

  /** @param bytes about as many as the item holds */
  say(uid: string, type: number, item: unknown, bytes = 0): void {
    let byType = this.#batches.get(uid);
    if (byType === undefined) this.#batches.set(uid, (byType = new Map<number, Batch>()));
    let batch = byType.get(type);
    if (batch !== undefined && batch.bytes + bytes > MAX_MESSAGE_BYTES) {
      this.#publish(uid, type, batch);
      batch = undefined;
    }
    if (batch === undefined) byType.set(type, (batch = { items: [], bytes: 0 }));
    batch.items.push(item);
    batch.bytes += bytes;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    for (const [uid, byType] of this.#batches) for (const [type, batch] of byType) this.#publish(uid, type, batch);
    this.#batches.clear();
  }

  #publish(uid: string, type: number, { items }: Batch): void {
    const message = packMessage({ uid: this.#options.uid, nsp: NODE_SPACE, type, data: { items } });
    this.#options.publish(uid, message).catch(this.#options.onFailure);
  }
}
