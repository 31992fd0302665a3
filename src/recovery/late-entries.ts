/**
 * Messages that a session's former node had delivered before it let go, and that the stream shows afterwards only: the node had been cut off from Redis, or stood
 * still, and its outbox leaves when it is back. The client has had them, and must not get them twice.
 */
import { received, type Claim } from "./claim.js";
import type { LoggedEvent } from "./log-entry.js";

interface Adopted {
  readonly nsp: string;
  readonly claims: readonly Claim[];
  readonly atMs: number;
}

interface FormerNode {
  /** By `socket.id`; in the order in which they came. */
  readonly adopted: Map<string, Adopted>;
  /** Beyond these nobody can have had an entry. */
  maxPos: number;
  readonly maxSeqs: Map<number, number>;
}

export class LateEntries {
  readonly #byTag = new Map<string, FormerNode>();

  /** @param claims of the client when it came; those that speak of another node than its former ones are of no use */
  adopt(id: string, nsp: string, claims: readonly Claim[], nowMs: number): void {
    for (const { tag, pos, wid, seq } of claims) {
      let node = this.#byTag.get(tag);
      if (node === undefined) {
        node = { adopted: new Map(), maxPos: 0, maxSeqs: new Map() };
        this.#byTag.set(tag, node);
      }
      node.adopted.delete(id);
      node.adopted.set(id, { nsp, claims, atMs: nowMs });
      node.maxPos = Math.max(node.maxPos, pos);
      node.maxSeqs.set(wid, Math.max(node.maxSeqs.get(wid) ?? 0, seq));
    }
  }

  /** @returns ids of the sockets that have had it elsewhere */
  receivers(event: LoggedEvent): readonly string[] {
    const { origin, nsp } = event;
    const node = origin && this.#byTag.get(origin.tag);
    if (node === undefined || origin === undefined) return [];
    // What the former node publishes now is not looked at one by one.
    if (origin.pos > node.maxPos && origin.seq > (node.maxSeqs.get(origin.wid) ?? 0)) return [];
    const entry = { ...event, pos: Number.MAX_SAFE_INTEGER };
    const ids: string[] = [];
    for (const [id, one] of node.adopted)
      if (one.nsp === nsp && one.claims.some((claim) => received(entry, claim, ""))) ids.push(id);
    return ids;
  }

  /** Forgets those that came before that: what was late is in the stream by now, or never will be. */
  forget(beforeMs: number): void {
    for (const [tag, { adopted }] of this.#byTag) {
      for (const [id, { atMs }] of adopted) {
        if (atMs >= beforeMs) break;
        adopted.delete(id);
      }
      if (adopted.size === 0) this.#byTag.delete(tag);
    }
  }
}
