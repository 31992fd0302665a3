/** The other workers of this node, as the primary tells of them, and the ways to them. */
import type { Sibling } from "../link/messages.js";
import { Route } from "./route.js";

export class Siblings {
  #routes = new Map<number, { readonly path: string; readonly route: Route }>();

  /** @param siblings those that live now */
  update(siblings: readonly Sibling[]): void {
    const before = this.#routes;
    this.#routes = new Map(
      siblings.map(({ slot, path }) => {
        const known = before.get(slot);
        return [slot, known?.path === path ? known : { path, route: new Route({ path }) }];
      }),
    );
  }

  get count(): number {
    return this.#routes.size;
  }

  /** @returns undefined where the worker is known to live no more */
  route(slot: number): Route | undefined {
    return this.#routes.get(slot)?.route;
  }

  /** Ends the connections, those in use as well. */
  close(): void {
    for (const { route } of this.#routes.values()) route.close();
  }
}
