/**
 * The pub/sub side of the bus: for each namespace that is open on this node the channel of all servers and the private one of this node, named as
 * @socket.io/redis-streams-adapter names them. Who is subscribed is who answers requests; one channel more says who reads bundles.
 */
import { BUNDLE_VERSION } from "./bundle.js";
import type { RedisConnection, RedisSubscriber } from "../lib/redis.js";
import { toError } from "../lib/to-error.js";

const MAX_CHANNELS_AT_ONCE = 1_000;
const RETRY_MS = 500;

/** Channel of all servers with the namespace open. */
export const publicChannel = (prefix: string, nsp: string): string => `${prefix}#${nsp}#`;
/** Channel on which nothing is said, of those that read bundles; no namespace's has such a name. */
export const readersChannel = (prefix: string): string => `${prefix}#bundles-${BUNDLE_VERSION}#`;

export interface ChannelsOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly uid: string;
  readonly readsBundles: boolean;
  readonly onFailure: (error: Error) => void;
}

export class Channels {
  readonly #options: ChannelsOptions;
  #subscriber: RedisSubscriber | undefined;
  readonly #wanted = new Set<string>();
  readonly #subscribed = new Set<string>();
  #busy = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  attach(subscriber: RedisSubscriber): void {
    this.#subscriber = subscriber;
  }

  open(nsp: string): void {
    this.#wanted.add(nsp);
    this.#wake();
  }

  close(nsp: string): void {
    this.#wanted.delete(nsp);
    this.#wake();
  }

  /** The subscriber is ready: anew, and without subscriptions. */
  restored(): void {
    this.#subscribed.clear();
    this.#wake();
  }

  stop(): void {
    clearTimeout(this.#retry);
    this.#wanted.clear();
  }

  /** Channel of all servers with the namespace open. */
  publicName(nsp: string): string {
    return publicChannel(this.#options.prefix, nsp);
  }

  /** Channel of one server. */
  privateName(nsp: string, uid: string): string {
    return `${this.#options.prefix}#${nsp}#${uid}#`;
  }

  /**
   * @param uids servers to look at one by one
   * @returns how many servers have the namespace open, this node left out; and which of `uids` are among them
   */
  async servers(nsp: string, uids: readonly string[]): Promise<{ others: number; alive: ReadonlySet<string> }> {
    const { redis, uid } = this.#options;
    const names = [uid, ...uids].map((one) => this.privateName(nsp, one));
    const replies = await redis.callEach("PUBSUB", "NUMSUB", this.publicName(nsp), ...names);
    // In a cluster each subscriber is connected to one of the servers: the counts add up.
    const counts = [nsp, uid, ...uids].map((_, i) =>
      replies.reduce<number>((sum, reply) => sum + Number((reply as unknown[])[2 * i + 1]), 0),
    );
    const [all = 0, own = 0, ...rest] = counts;
    return { others: all - (own > 0 ? 1 : 0), alive: new Set(uids.filter((_, i) => (rest[i] ?? 0) > 0)) };
  }

  #wake(): void {
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(() => void this.#reconcile());
  }

  async #reconcile(): Promise<void> {
    clearTimeout(this.#retry);
    const subscriber = this.#subscriber;
    try {
      while (subscriber?.ready === true) {
        const opened = firstOf(this.#wanted, this.#subscribed);
        const closed = firstOf(this.#subscribed, this.#wanted);
        if (opened.length > 0) {
          for (const nsp of opened) this.#subscribed.add(nsp);
          await subscriber.subscribe(this.#namesOf(opened));
        } else if (closed.length > 0) {
          for (const nsp of closed) this.#subscribed.delete(nsp);
          await subscriber.unsubscribe(this.#namesOf(closed));
        } else break;
      }
    } catch (error) {
      this.#options.onFailure(toError(error));
      this.#subscribed.clear();
      this.#retry = setTimeout(() => this.#wake(), RETRY_MS);
    }
    this.#busy = false;
  }

  #namesOf(namespaces: readonly string[]): string[] {
    const { prefix, uid, readsBundles } = this.#options;
    const names = namespaces.flatMap((nsp) => [this.publicName(nsp), this.privateName(nsp, uid)]);
    // With the channel that it is held against, in one command.
    if (readsBundles && namespaces.includes("/")) names.push(readersChannel(prefix));
    return names;
  }
}

/** Some of those in `set` that are not in `other`. */
function firstOf(set: ReadonlySet<string>, other: ReadonlySet<string>): string[] {
  const found: string[] = [];
  for (const name of set) {
    if (other.has(name)) continue;
    found.push(name);
    if (found.length === MAX_CHANNELS_AT_ONCE) break;
  }
  return found;
}
