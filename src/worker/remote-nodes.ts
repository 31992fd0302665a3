/**
 * The other nodes of the fleet, as the primary tells of them, and the ways to their workers.
 *
 * A node that is not in the table may have come a moment ago: the table is read anew before the node counts as gone. And a lease that has run out
 * does not prove that its node has ended, for it may have lost Redis alone: a node that is no longer in the table is tried where it was last, until that
 * fails.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { RemoteNode } from "../link/messages.js";
import type { Address } from "../routing/address.js";
import { Route } from "./route.js";

export type RemoteOwner = { readonly kind: "at"; readonly route: Route } | { readonly kind: "gone" | "unknown" };

export interface RemoteNodesOptions {
  /** Whether there can be others: without Redis it is known that there are none. */
  readonly inFleet: boolean;
  /** How long another node may take to begin its answer. */
  readonly answerMs: number;
  /** Has the table read anew; resolves once {@link RemoteNodes.update} has been told of what is new. */
  readonly seek: () => Promise<void>;
}

interface Known {
  readonly address: string;
  /** By slot: the other node's front hands a connection to the worker that its first request is for. */
  readonly routes: Map<number, Route>;
  listed: boolean;
}

/** How long a request waits for a table that is read anew. */
const SEEK_MS = 1_000;

export class RemoteNodes {
  readonly #options: RemoteNodesOptions;
  readonly #known = new Map<number, Known>();
  /** Nodes that have an id and no address yet. */
  #unreachable = new Set<number>();
  #complete: boolean;
  /** The reading of the table under way, and the one after it, for those who asked in the meantime. */
  #seeking: Promise<void> | undefined;
  #seekingNext: Promise<void> | undefined;

  constructor(options: RemoteNodesOptions) {
    this.#options = options;
    this.#complete = !options.inFleet;
  }

  /** @param complete whether a node that is not among them lives no more, or has lost its lease */
  update(nodes: readonly RemoteNode[], complete: boolean): void {
    this.#complete = complete;
    this.#unreachable = new Set();
    for (const known of this.#known.values()) known.listed = false;
    for (const { id, address } of nodes) {
      const known = this.#known.get(id);
      if (known?.address === address) known.listed = true;
      else if (address !== null) this.#known.set(id, { address, routes: new Map(), listed: true });
      else {
        this.#known.delete(id);
        this.#unreachable.add(id);
      }
    }
  }

  /** As far as it is known here and now. */
  owner({ node, slot }: Address): RemoteOwner {
    const known = this.#known.get(node);
    if (known === undefined) return { kind: this.#complete && !this.#unreachable.has(node) ? "gone" : "unknown" };
    let route = known.routes.get(slot);
    if (route === undefined)
      known.routes.set(slot, (route = new Route(endpointOf(known.address), this.#options.answerMs)));
    return { kind: "at", route };
  }

  /** As {@link owner}, from a table that is read anew; `unknown` where that takes too long. */
  async soughtOwner(address: Address): Promise<RemoteOwner> {
    const isFresh = await this.#refreshed();
    const owner = this.owner(address);
    return owner.kind === "gone" && !isFresh ? { kind: "unknown" } : owner;
  }

  /** Nobody was reached by that route. @returns whether the node is known to be gone, by a table that is read anew */
  async isGone({ node, slot }: Address, route: Route): Promise<boolean> {
    const isFresh = await this.#refreshed();
    const known = this.#known.get(node);
    if (!isFresh || !this.#complete || this.#unreachable.has(node)) return false;
    if (known === undefined) return true;
    if (known.listed || known.routes.get(slot) !== route) return false;
    this.#known.delete(node);
    return true;
  }

  close(): void {
    for (const { routes } of this.#known.values()) for (const route of routes.values()) route.close();
  }

  /** @returns whether the table was read anew in time */
  async #refreshed(): Promise<boolean> {
    if (!this.#options.inFleet) return true;
    const late = new AbortController();
    const isFresh = await Promise.race([
      this.#sought().then(() => true),
      delay(SEEK_MS, false, { signal: late.signal }).catch(() => false),
    ]);
    late.abort();
    return isFresh;
  }

  /** A reading that has begun already may have missed what the caller asks for. */
  #sought(): Promise<void> {
    if (this.#seeking === undefined) return this.#seekNow();
    return (this.#seekingNext ??= this.#seeking.then(() => {
      this.#seekingNext = undefined;
      return this.#seekNow();
    }));
  }

  #seekNow(): Promise<void> {
    return (this.#seeking = this.#options.seek().then(() => {
      this.#seeking = undefined;
    }));
  }
}

/** @param address HOST:PORT, an IPv6 address in brackets */
function endpointOf(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(address.slice(colon + 1)) };
}
