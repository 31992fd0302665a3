/**
 * Joins that are on their way: `io.in("a").socketsJoin("b")` followed at once by `io.to("b").emit()` must reach the workers that have not
 * reported their new members yet. Until a worker says that such a message is settled, it counts as a member of the rooms to be joined.
 */
export interface PendingJoin {
  readonly nsp: string;
  readonly rooms: readonly string[];
}

export class PendingJoins<Peer> {
  readonly #byPeer = new Map<Peer, Map<number, PendingJoin>>();
  /** Settled before it was known that they are on their way: who told them to join says so by another wire than the one they say so by. */
  readonly #early = new Map<Peer, Set<number>>();
  #n = 0;

  /** A number for the next message, ever growing. */
  next(): number {
    return ++this.#n;
  }

  get isEmpty(): boolean {
    return this.#byPeer.size === 0;
  }

  /** Only for what is on the wire: what was dropped is never settled. */
  add(peer: Peer, n: number, nsp: string, rooms: readonly string[]): void {
    if (remove(this.#early, peer, n)) return;
    const pending = this.#byPeer.get(peer);
    if (pending === undefined) this.#byPeer.set(peer, new Map([[n, { nsp, rooms }]]));
    else pending.set(n, { nsp, rooms });
  }

  /** @returns what no longer is on its way, where that was known */
  settle(peer: Peer, n: number): PendingJoin | undefined {
    const pending = this.#byPeer.get(peer)?.get(n);
    if (pending !== undefined) {
      remove(this.#byPeer, peer, n);
      return pending;
    }
    const early = this.#early.get(peer);
    if (early === undefined) this.#early.set(peer, new Set([n]));
    else early.add(n);
    return undefined;
  }

  forget(peer: Peer): void {
    this.#byPeer.delete(peer);
    this.#early.delete(peer);
  }

  addMembers(nsp: string, rooms: readonly string[], into: Set<Peer>): void {
    for (const [peer, pending] of this.#byPeer) {
      for (const join of pending.values())
        if (join.nsp === nsp && join.rooms.some((room) => rooms.includes(room))) into.add(peer);
    }
  }
}

function remove<Peer>(map: Map<Peer, Map<number, PendingJoin> | Set<number>>, peer: Peer, n: number): boolean {
  const numbers = map.get(peer);
  if (numbers?.delete(n) !== true) return false;
  if (numbers.size === 0) map.delete(peer);
  return true;
}
