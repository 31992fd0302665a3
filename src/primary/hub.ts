/**
 * The hub passes Socket.IO's cluster messages between the workers of this node, and only to workers with members in the rooms they are for.
 * It reads headers; payloads go through unread. It keeps no state per request: who asked is told whom the request went to, gets the replies,
 * and hears when a worker is gone.
 */
import type { Inbound, LocalSide } from "../bus/local-side.js";
import type { Outgoing } from "../link/entry-frame.js";
import { deliveredFrame, encodeDeliveredBody } from "../link/event-frame.js";
import { encodeFrame } from "../link/frame.js";
import { NOTHING, OUTSIDE_WID } from "../link/messages.js";
import type { Deliver, DownMessage, InterestChange, Joining, Publish, Reply } from "../link/messages.js";
import { occupiedKey, openKey, prefixKey, roomKey, type Board } from "../link/board.js";
import { encodePayload } from "../link/payload.js";
import { Interest } from "../routing/interest.js";
import { Anticipated } from "./anticipated.js";
import { withoutSockets } from "./late-sieve.js";
import type { HubCounters, HubLog, HubPeer, Outside } from "./hub-parts.js";
import { PendingJoins } from "./pending-joins.js";

export class Hub implements LocalSide {
  readonly #peers = new Map<number, HubPeer>();
  readonly #interest = new Interest<HubPeer>();
  readonly #counters: HubCounters;
  readonly #pendingJoins = new PendingJoins<HubPeer>();
  readonly #anticipated = new Anticipated<HubPeer>();

  #board: Board | undefined;
  #log: HubLog | undefined;
  #outside: Outside | undefined;

  constructor(counters: HubCounters) {
    this.#counters = counters;
  }

  /** Call before the first worker is added. */
  join(outside: Outside): void {
    this.#outside = outside;
  }

  /** Where workers are told who wants what, so that they need not pass here; call before the first worker is added. */
  postOn(board: Board): void {
    this.#board = board;
  }

  /** Turns recovery on; call before the first worker is added. */
  record(log: HubLog): void {
    this.#log = log;
  }

  get namespaceCount(): number {
    return this.#interest.namespaceCount;
  }

  get roomCount(): number {
    return this.#interest.roomCount;
  }

  /** @param prefix what the ids of its sockets begin with; rooms of these names it does not report */
  add(peer: HubPeer, prefix?: string): void {
    this.#peers.set(peer.wid, peer);
    this.#board?.add(peer.wid);
    if (prefix === undefined) return;
    this.#interest.name(prefix, peer);
    this.#board?.post(prefixKey(prefix), [peer]);
  }

  /** Call after everything the worker sent was passed to the hub: whoever waits for it then has its last reply. */
  remove(peer: HubPeer): void {
    if (!this.#peers.delete(peer.wid)) return;
    for (const nsp of this.#interest.remove(peer)) this.#outside?.closed(nsp);
    this.#pendingJoins.forget(peer);
    this.#board?.remove(peer.wid);
    this.#outside?.gone(peer.wid);
    for (const other of this.#peers.values()) other.sendBehind({ t: "gone", wid: peer.wid });
  }

  onInterest(peer: HubPeer, seq: number, changes: readonly InterestChange[]): void {
    for (const change of changes) {
      switch (change[0]) {
        case "open":
          if (this.#interest.open(change[1], peer)) this.#outside?.opened(change[1]);
          break;
        case "close": {
          const rooms = this.#board === undefined ? [] : this.#interest.roomsOf(change[1], peer);
          if (this.#interest.close(change[1], peer)) this.#outside?.closed(change[1]);
          for (const room of rooms) this.#post(change[1], room);
          break;
        }
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
      this.#post(change[1], change[2]);
    }
    peer.send({ t: "known", seq, ...this.#log?.position });
  }

  /** @param frame all of it as it came, where it is a plain event's */
  onPublish(peer: HubPeer, message: Publish, body: Buffer, frame?: Buffer): void {
    this.#counters.received();
    const targets = this.#targets(message);
    targets.delete(peer);
    const pos = message.seq === undefined ? undefined : this.#log?.published(peer.wid, message, body);
    const asksOutside = this.#outside?.publish(peer.wid, message, body, pos) ?? false;
    if (message.req !== undefined) {
      const wids = [...targets].map((target) => target.wid);
      peer.send({ t: "expect", req: message.req, wids: asksOutside ? [...wids, OUTSIDE_WID] : wids });
    }
    this.#counters.skipped(this.#peers.size - 1 - targets.size);
    if (targets.size === 0) return;
    if (frame === undefined) this.#pass(peer.wid, targets, message, body, pos);
    else this.#passEvent(targets, deliveredFrame(frame, peer.wid, pos));
  }

  /** What a worker says to servers outside of the node: its siblings have it past the hub. */
  onOutbound(wid: number, message: Publish | Outgoing, body: Buffer): void {
    if (message.t === "entry") {
      this.#outside?.pass(message, body);
      return;
    }
    const isAsked = this.#outside?.publish(wid, message, body, undefined) ?? false;
    if (message.req !== undefined && !isAsked) this.settle(wid, message.nsp, message.req);
  }

  /** Passes on what comes from outside. @returns the workers it is for: one whose full wire could not take it owes an answer all the same */
  deliver(inbound: Inbound, received: Buffer): readonly number[] {
    const late = inbound.logged && this.#log?.receivers(inbound.logged);
    const { message, body } = late?.length
      ? withoutSockets(inbound, received, late)
      : { message: inbound, body: received };
    const targets = this.#targets(message);
    this.#counters.skipped(this.#peers.size - targets.size);
    const pos = message.logged && this.#log?.logged(message.logged);
    this.#pass(OUTSIDE_WID, targets, message, body, pos);
    return [...targets].map((target) => target.wid);
  }

  passOver(nsp: string, rooms: readonly string[]): boolean {
    if (this.#interest.hasMembers(nsp, rooms) || !this.#pendingJoins.isEmpty || !this.#anticipated.isEmpty)
      return false;
    this.#counters.skipped(this.#peers.size);
    return true;
  }

  /** Counts the worker as a member of these rooms, and of the namespace, before it says so. @returns what ends that, to be called once */
  anticipate(wid: number, nsp: string, rooms: readonly string[]): () => void {
    const peer = this.#peers.get(wid);
    return peer === undefined ? () => undefined : this.#anticipated.add(peer, nsp, rooms);
  }

  /** An answer from outside to what a worker has asked. @param data with its requestId; of type NOTHING: there are no more */
  answer(wid: number, nsp: string, type: number, data: object): void {
    const { bin, body } = encodePayload(data);
    this.#passReply(wid, { t: "reply", from: OUTSIDE_WID, nsp, type, bin }, body);
  }

  /** Everything has been said from outside. */
  settle(wid: number, nsp: string, requestId: string): void {
    this.answer(wid, nsp, NOTHING, { requestId });
  }

  isOpen(nsp: string): boolean {
    return this.#interest.opened(nsp).size > 0;
  }

  onReply(peer: HubPeer, message: Reply, body: Buffer): void {
    if (message.to === OUTSIDE_WID) {
      this.#outside?.reply(peer.wid, message, body);
      return;
    }
    const { nsp, type, bin } = message;
    this.#passReply(message.to, { t: "reply", from: peer.wid, nsp, type, bin }, body);
  }

  onCount(peer: HubPeer, id: number, nsp: string): void {
    const local = this.#interest.opened(nsp).size;
    const answer = (others: number): void => peer.send({ t: "counted", id, count: local + others });
    if (this.#outside === undefined) answer(0);
    else void this.#outside.countOthers(nsp).then(answer);
  }

  onSettled(peer: HubPeer, n: number): void {
    const settled = this.#pendingJoins.settle(peer, n);
    for (const room of settled?.rooms ?? []) this.#post(settled?.nsp ?? "", room);
  }

  /** A worker has told others, past the hub, to join sockets to rooms. */
  onJoining({ n, nsp, rooms, wids }: Joining): void {
    for (const wid of wids) {
      const peer = this.#peers.get(wid);
      if (peer !== undefined) this.#pendingJoins.add(peer, n, nsp, rooms);
    }
    for (const room of rooms) this.#post(nsp, room);
  }

  /** @param room or without one, who has the namespace open and who has sockets in it */
  #post(nsp: string, room?: string): void {
    if (this.#board === undefined) return;
    if (room !== undefined) {
      this.#board.post(roomKey(nsp, room), this.#targets({ nsp, rooms: [room], to: "members" }));
      return;
    }
    this.#board.post(openKey(nsp), this.#interest.opened(nsp));
    this.#board.post(occupiedKey(nsp), this.#targets({ nsp, rooms: [], to: "members" }));
  }

  #targets({ nsp, rooms, to }: Pick<Publish, "nsp" | "rooms" | "to">): Set<HubPeer> {
    if (to === "open") return new Set(this.#interest.opened(nsp));
    const targets = this.#interest.members(nsp, rooms);
    this.#pendingJoins.addMembers(nsp, rooms, targets);
    this.#anticipated.addMembers(nsp, rooms, targets);
    return targets;
  }

  #pass(
    from: number,
    targets: ReadonlySet<HubPeer>,
    message: Omit<Inbound, "to">,
    body: Buffer,
    pos: number | undefined,
  ): void {
    if (targets.size === 0) return;
    const { nsp, type, bin, rooms, event, joins, logged } = message;
    if (event !== undefined && pos === undefined && joins === undefined) {
      const { bytes, except, flags } = event;
      const frame = encodeDeliveredBody(nsp, { rooms, except, flags }, bytes, body, from);
      if (frame !== undefined) {
        this.#passEvent(targets, frame);
        return;
      }
    }
    const header: Deliver = {
      t: "deliver",
      from,
      nsp,
      type,
      bin,
      ...(event && { event: { ...event, rooms } }),
      ...(pos !== undefined && { pos, ...(logged?.streamId !== undefined && { streamId: logged.streamId }) }),
    };
    const shared = joins === undefined ? encodeFrame(header, body) : undefined;
    let copies = 0;
    for (const target of targets) {
      const settle = this.#pendingJoins.next();
      if (target.offer(shared ?? encodeFrame({ ...header, settle }, body))) {
        copies++;
        if (joins !== undefined) this.#pendingJoins.add(target, settle, nsp, joins);
      } else {
        // Where it was a request it stays expected: its caller is told by the timeout that an answer is missing.
        this.#counters.dropped(target);
      }
    }
    this.#counters.forwarded(copies);
    for (const room of joins ?? []) this.#post(nsp, room);
  }

  #passEvent(targets: ReadonlySet<HubPeer>, frame: Buffer): void {
    const frames = [frame];
    let copies = 0;
    for (const target of targets) {
      if (target.offer(frames)) copies++;
      else this.#counters.dropped(target);
    }
    this.#counters.forwarded(copies);
  }

  #passReply(wid: number, header: Extract<DownMessage, { t: "reply" }>, body: Buffer): void {
    const target = this.#peers.get(wid);
    if (target !== undefined && !target.offer(encodeFrame(header, body))) this.#counters.dropped(target);
  }
}
