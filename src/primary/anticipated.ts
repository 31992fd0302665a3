/**
 * Members that a worker will have at once: it has been given a session and has not reported its rooms yet. Until it has, what is published for these rooms
 * goes to it as well. Counted, because several sessions may be on their way to the same rooms.
 */
type Counts<Peer> = Map<Peer, number>;

interface Rooms<Peer> {
  /** Those who will have members in the namespace at all. */
  readonly everyone: Counts<Peer>;
  readonly rooms: Map<string, Counts<Peer>>;
}

export class Anticipated<Peer> {
  readonly #namespaces = new Map<string, Rooms<Peer>>();

  get isEmpty(): boolean {
    return this.#namespaces.size === 0;
  }

  /** @returns what ends it; to be called once */
  add(peer: Peer, nsp: string, names: readonly string[]): () => void {
    let entry = this.#namespaces.get(nsp);
    if (entry === undefined) {
      entry = { everyone: new Map<Peer, number>(), rooms: new Map<string, Counts<Peer>>() };
      this.#namespaces.set(nsp, entry);
    }
    const { everyone, rooms } = entry;
    count(everyone, peer, 1);
    for (const name of names) {
      let counts = rooms.get(name);
      if (counts === undefined) rooms.set(name, (counts = new Map<Peer, number>()));
      count(counts, peer, 1);
    }
    return () => {
      count(everyone, peer, -1);
      for (const name of names) {
        const counts = rooms.get(name);
        if (counts !== undefined && count(counts, peer, -1) === 0) rooms.delete(name);
      }
      if (everyone.size === 0) this.#namespaces.delete(nsp);
    };
  }

  addMembers(nsp: string, names: readonly string[], into: Set<Peer>): void {
    const entry = this.#namespaces.size === 0 ? undefined : this.#namespaces.get(nsp);
    if (entry === undefined) return;
    if (names.length === 0) for (const peer of entry.everyone.keys()) into.add(peer);
    for (const name of names) for (const peer of entry.rooms.get(name)?.keys() ?? []) into.add(peer);
  }
}

/** @returns how many peers are left */
function count<Peer>(counts: Counts<Peer>, peer: Peer, change: 1 | -1): number {
  const now = (counts.get(peer) ?? 0) + change;
  if (now > 0) counts.set(peer, now);
  else counts.delete(peer);
  return counts.size;
}
