import type { Duplex } from "node:stream";

/** A listener that ends its stream, for errors and the like, and holds on to nothing: it stays as long as the connection, and what it closed over would stay with it. */
export function destroyThis(this: Duplex): void {
  this.destroy();
}
