/**
 * The hub passes Socket.IO's cluster messages between the workers of this node, and only to workers with members in the rooms they are for.
 * It reads headers; payloads go through unread. It keeps no state per request: who asked is told whom the request went to, gets the replies,
 * and hears when a worker is gone.
 */
import { encodeFrame } from "../link/frame.js";
import type { Deliver, DownMessage, InterestChange, Publish, Reply } from "../link/messages.js";
import { Interest } from "../routing/interest.js";

/** The hub's side of one worker's wire. */
export interface HubPeer {
  readonly wid: number;
  readonly queueBytes: number;
  /** For what must arrive; small. */
  send(message: DownMessage): void;
  /** False: the wire's bound is reached and the message was dropped. */
  offer(frame: readonly Buffer[]): boolean;
}

export interface HubCounters {
  /** Messages taken from workers. */
  received(): void;
  /** Copies passed on to a worker. */
  forwarded(copies: number): void;
  /** Workers that were spared a copy because they have no members. */
  skipped(copies: number): void;
  /** A copy that a worker's full wire could not take. */
  dropped(peer: HubPeer): void;
}

export class Hub {
  readonly #peers = new Map<number, HubPeer>();
  readonly #interest = new Interest<HubPeer>();
  readonly #counters: HubCounters;
  readonly #pendingJoins = new PendingJoins();

  constructor(counters: HubCounters) {
    this.#counters = counters;
  }

  get namespaceCount(): number {
    return this.#interest.namespaceCount;
  }

  get roomCount(): number {
    return this.#interest.roomCount;
  }

  add(peer: HubPeer): void {
    this.#peers.set(peer.wid, peer);
  }

  /** Call after everything the worker sent was passed to the hub: whoever waits for it then has its last reply. */
  remove(peer: HubPeer): void {
    if (!this.#peers.delete(peer.wid)) return;
    this.#interest.remove(peer);
    this.#pendingJoins.forget(peer);
    for (const other of this.#peers.values()) other.send({ t: "gone", wid: peer.wid });
  }

  onInterest(peer: HubPeer, seq: number, changes: readonly InterestChange[]): void {
    for (const change of changes) {
      switch (change[0]) {
        case "open":
          this.#interest.open(change[1], peer);
          break;
        case "close":
          this.#interest.close(change[1], peer);
          break;
        case "occupy":
          this.#interest.occupy(change[1], peer);
          break;
        case "vacate":
          this.#interest.vacate(change[1], peer);
          break;
        case "join":
          this.#interest.join(change[1], change[2], peer);
          break;
        case "leave":
          this.#interest.leave(change[1], change[2], peer);
          break;
      }
    }
    peer.send({ t: "known", seq });
  }

  onPublish(peer: HubPeer, message: Publish, body: Buffer): void {
    this.#counters.received();
    const targets = this.#targets(peer, message);
    if (message.req !== undefined)
      peer.send({ t: "expect", req: message.req, wids: targets.map((target) => target.wid) });
    this.#counters.skipped(this.#peers.size - 1 - targets.length);
    if (targets.length === 0) return;
    const header: Deliver = {
      t: "deliver",
      from: peer.wid,
      nsp: message.nsp,
      type: message.type,
      bin: message.bin,
      ...(message.event && { event: { ...message.event, rooms: message.rooms } }),
    };
    const shared = message.joins === undefined ? encodeFrame(header, body) : undefined;
    let copies = 0;
    for (const target of targets) {
      const settle = this.#pendingJoins.next();
      if (target.offer(shared ?? encodeFrame({ ...header, settle }, body))) {
        copies++;
        if (message.joins !== undefined) this.#pendingJoins.add(target, settle, message.nsp, message.joins);
      } else {
        // Where it was a request it stays expected: its caller is told by the timeout that an answer is missing.
        this.#counters.dropped(target);
      }
    }
    this.#counters.forwarded(copies);
  }

  onReply(peer: HubPeer, message: Reply, body: Buffer): void {
    const target = this.#peers.get(message.to);
    if (target === undefined) return;
    const header: DownMessage = { t: "reply", from: peer.wid, nsp: message.nsp, type: message.type, bin: message.bin };
    if (!target.offer(encodeFrame(header, body))) this.#counters.dropped(target);
  }

  onCount(peer: HubPeer, id: number, nsp: string): void {
    peer.send({ t: "counted", id, count: this.#interest.opened(nsp).size });
  }

  onSettled(peer: HubPeer, n: number): void {
    this.#pendingJoins.settle(peer, n);
  }

  #targets(from: HubPeer, { nsp, rooms, to }: Publish): HubPeer[] {
    const wanted = to === "open" ? this.#interest.opened(nsp) : this.#interest.members(nsp, rooms);
    const targets = new Set(wanted);
    if (to === "members") this.#pendingJoins.addMembers(nsp, rooms, targets);
    targets.delete(from);
    return [...targets];
  }
}

/**
 * Joins that are on their way: `io.in("a").socketsJoin("b")` followed at once by `io.to("b").emit()` must reach the workers that have not
 * reported their new members yet. Until a worker says that such a message is settled, it counts as a member of the rooms to be joined.
 */
class PendingJoins {
  readonly #byPeer = new Map<HubPeer, { n: number; nsp: string; rooms: readonly string[] }[]>();
  #n = 0;

  /** The number of the next message, ever growing. */
  next(): number {
    return ++this.#n;
  }

  /** Only for what is on the wire: what was dropped is never settled. */
  add(peer: HubPeer, n: number, nsp: string, rooms: readonly string[]): void {
    const list = this.#byPeer.get(peer);
    if (list === undefined) this.#byPeer.set(peer, [{ n, nsp, rooms }]);
    else list.push({ n, nsp, rooms });
  }

  settle(peer: HubPeer, n: number): void {
    const rest = this.#byPeer.get(peer)?.filter((pending) => pending.n > n);
    if (rest === undefined) return;
    if (rest.length === 0) this.#byPeer.delete(peer);
    else this.#byPeer.set(peer, rest);
  }

  forget(peer: HubPeer): void {
    this.#byPeer.delete(peer);
  }

  addMembers(nsp: string, rooms: readonly string[], into: Set<HubPeer>): void {
    for (const [peer, list] of this.#byPeer) {
      if (list.some((pending) => pending.nsp === nsp && pending.rooms.some((room) => rooms.includes(room))))
        into.add(peer);
    }
  }
}
