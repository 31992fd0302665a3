/**
 * The other nodes of the fleet, as the primary tells of them, and the ways to their workers.
 *
 * A lease that has run out does not prove that its node has ended: it may have lost Redis alone. So a node that is no longer listed is tried where
 * it was last, until that fails; then it is gone.
 */
import type { RemoteNode } from "../link/messages.js";
import type { Address } from "../routing/address.js";
import { Route } from "./route.js";

export type RemoteOwner = { readonly kind: "at"; readonly route: Route } | { readonly kind: "gone" | "unknown" };

interface Known {
  readonly address: string;
  /** By slot: the other node's front hands a connection to the worker that its first request is for. */
  readonly routes: Map<number, Route>;
  listed: boolean;
}

export class RemoteNodes {
  readonly #known = new Map<number, Known>();
  readonly #answerMs: number;
  #complete: boolean;

  /**
   * @param complete whether it is known, before the primary tells of any, that there are no others
   * @param answerMs how long another node may take to begin its answer
   */
  constructor(complete: boolean, answerMs: number) {
    this.#complete = complete;
    this.#answerMs = answerMs;
  }

  /** @param complete whether a node that is not among them is known to live no more, or to have lost its lease */
  update(nodes: readonly RemoteNode[], complete: boolean): void {
    this.#complete = complete;
    for (const known of this.#known.values()) known.listed = false;
    for (const { id, address } of nodes) {
      const known = this.#known.get(id);
      if (known?.address === address) known.listed = true;
      else this.#known.set(id, { address, routes: new Map(), listed: true });
    }
  }

  owner({ node, slot }: Address): RemoteOwner {
    const known = this.#known.get(node);
    if (known === undefined) return { kind: this.#complete ? "gone" : "unknown" };
    let route = known.routes.get(slot);
    if (route === undefined) known.routes.set(slot, (route = new Route(endpointOf(known.address), this.#answerMs)));
    return { kind: "at", route };
  }

  /** Nobody was reached by that route. @returns whether the node is known to be gone */
  unreached({ node, slot }: Address, route: Route): boolean {
    const known = this.#known.get(node);
    if (known === undefined) return this.#complete;
    if (known.listed || !this.#complete || known.routes.get(slot) !== route) return false;
    this.#known.delete(node);
    return true;
  }

  close(): void {
    for (const { routes } of this.#known.values()) for (const route of routes.values()) route.close();
  }
}

/** @param address HOST:PORT, an IPv6 address in brackets */
function endpointOf(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(address.slice(colon + 1)) };
}
