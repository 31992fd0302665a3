/**
 * Past the primary, to the inlets of the workers it is for: where the node is alone nobody else needs it, and a message to a small room then wakes two processes, not
 * three. Who wants what stands on the primary's board, where this worker looks it up as it publishes.
 *
 * - A worker reads its siblings through one pipe, so what was said after something else was heard comes behind it.
 * - What this worker says after one of its own clients joined a room waits until the hub has posted that: who hears of it may speak to the room. So do its clients,
 *   for whoever hears an ack may speak next.
 */
import type { FifoWriter } from "../lib/fifo.js";
import type { BoardReader } from "../link/board.js";
import { occupiedKey, openKey, prefixKey, roomKey } from "../link/board.js";
import { encodeDeliveredEvent, encodeFrame } from "../link/frame.js";
import { OUTSIDE_WID, type Deliver, type DownMessage, type UpMessage } from "../link/messages.js";
import { Outlet } from "../link/outlet.js";
import type { EventOptions, Payload } from "../link/payload.js";
import { namedBy } from "../routing/address.js";
import type { HubTally } from "../telemetry/hub-tally.js";
import type { HubRoute, PublishHeader, ReplyHeader, RouteHost } from "./hub-route.js";
import { eventForOutside, messageForOutside } from "./outside-frames.js";

/** Messages that join sockets elsewhere are numbered from the worker's own number times this on, so that no two have the same. */
const JOININGS_A_WORKER = 2 ** 26;

export interface DirectRouteOptions {
  readonly wid: number;
  /** What the ids of its sockets begin with. */
  readonly prefix: string;
  readonly board: BoardReader;
  /** Opens the way to a worker's inlet. */
  readonly open: (wid: number) => FifoWriter;
  /** Bytes that may wait for one worker. */
  readonly maxQueueBytes: number;
  readonly tally: HubTally;
  /** Workers of the node besides this one. */
  readonly siblingCount: () => number;
  readonly tellPrimary: (message: UpMessage, body?: Buffer) => void;
  /** Whether there are servers outside of this node: they get everything, and are asked everything, by the primary's inlet. */
  readonly hasOutside: boolean;
  /** Has {@link DirectRoute.flush} called when the turn ends. */
  readonly schedule: () => void;
}

interface Peer {
  readonly wid: number;
  readonly outlet: Outlet;
}

interface Staged {
  readonly peer: Peer;
  readonly frame: readonly Buffer[];
}

/** Sockets of other workers that are to join rooms: until the hub has posted that, these workers count as members here. */
interface Joining {
  readonly batch: number;
  readonly nsp: string;
  readonly rooms: readonly string[];
  readonly low: number;
  readonly high: number;
}

export class DirectRoute implements HubRoute {
  readonly #options: DirectRouteOptions;
  readonly #board: BoardReader;
  #host!: RouteHost;
  /** By wid. */
  readonly #peers = new Map<number, Peer>();
  readonly #outside: Peer | undefined;
  /** The same by bit; null: this worker itself. */
  readonly #byBit: (Peer | null | undefined)[] = [];
  /** Those with frames that have not left. */
  #held = new Set<Outlet>();
  /** What waits for the hub to know of joins: in order, before it goes to the outlets. */
  #staged: Staged[] = [];
  #stagedBytes = 0;
  #stagedUntil = 0;
  #joinings: Joining[] = [];
  #nextJoining = 0;
  #isScheduled = false;
  /** A request is among what is said to the outside. */
  #isUrgent = false;

  constructor(options: DirectRouteOptions) {
    this.#options = options;
    this.#board = options.board;
    if (options.hasOutside) this.#outside = this.#peer(OUTSIDE_WID);
  }

  /** Bytes that wait for other workers, by wid; none that has read all. */
  get waiting(): [wid: number, bytes: number][] {
    return [...this.#peers.values()]
      .map(({ wid, outlet }): [number, number] => [wid, outlet.queueBytes])
      .filter(([, bytes]) => bytes > 0);
  }

  attach(host: RouteHost): void {
    this.#host = host;
  }

  publishEvent(nsp: string, args: string, opts: EventOptions): void {
    const peers = this.#targets(nsp, opts.rooms, "members");
    if (peers.length > 0) this.#send(peers, encodeDeliveredEvent(nsp, args, opts, this.#options.wid));
    if (this.#outside !== undefined) this.#sendTo(this.#outside, eventForOutside(nsp, args, opts));
  }

  publish(header: PublishHeader, payload: Payload): boolean {
    const { nsp, rooms, to, req } = header;
    const peers = this.#targets(nsp, rooms, to);
    if (req !== undefined) {
      const wids = (this.#outside === undefined ? peers : [...peers, this.#outside]).map(({ wid }) => wid);
      // Before anybody can answer; where nobody will, the caller hears of it in a later turn, as where the hub says it.
      if (wids.length > 0) this.#host.expect(req, wids);
      else setImmediate(() => this.#host.expect(req, wids));
    }
    if (peers.length > 0) this.#publishTo(peers, header, payload);
    if (this.#outside !== undefined) {
      this.#sendTo(this.#outside, messageForOutside(header, payload));
      if (req !== undefined) this.#isUrgent = true;
    }
    return true;
  }

  #publishTo(peers: readonly Peer[], header: PublishHeader, { bin, body }: Payload): void {
    const { nsp, type, rooms, event, joins } = header;
    const settle = joins && this.#numberOfJoining();
    const message: Deliver = {
      t: "deliver",
      from: this.#options.wid,
      nsp,
      type,
      bin,
      ...(event && { event: { ...event, rooms } }),
      ...(settle !== undefined && { settle }),
    };
    const { low, high } = this.#board;
    const taken = this.#send(peers, encodeFrame(message, body));
    if (settle === undefined || joins === undefined || taken.length === 0) return;
    this.#joinings.push({ batch: this.#host.nextBatch, nsp, rooms: joins, low, high });
    // Not of who was spared the message: it will never say that it has joined anybody.
    this.#options.tellPrimary({ t: "joining", n: settle, nsp, rooms: joins, wids: taken.map(({ wid }) => wid) });
  }

  reply({ to, nsp, type }: ReplyHeader, { bin, body }: Payload): void {
    if (to === OUTSIDE_WID) {
      this.#options.tellPrimary({ t: "reply", to, nsp, type, bin }, body);
      return;
    }
    const message: DownMessage = { t: "reply", from: this.#options.wid, nsp, type, bin };
    this.#sendTo(this.#peer(to), encodeFrame(message, body));
  }

  /** Writes what has come together, as far as it may leave and the others read. */
  flush(): void {
    this.#isScheduled = false;
    for (const outlet of this.#held) outlet.flush();
    if (this.#held.size > 0) this.#held.clear();
    // Last: what comes back from outside comes behind what siblings are told here.
    this.#outside?.outlet.flush();
    if (!this.#isUrgent || this.#staged.length > 0) return;
    this.#isUrgent = false;
    this.#options.tellPrimary({ t: "look" });
  }

  onKnown(batch: number): void {
    if (this.#joinings.length > 0) this.#joinings = this.#joinings.filter((joining) => joining.batch > batch);
    if (this.#staged.length === 0 || this.#stagedUntil > batch) return;
    const staged = this.#staged;
    this.#staged = [];
    this.#stagedBytes = 0;
    // Whatever waits with the peers: who said it was told that it is on its way.
    for (const { peer, frame } of staged) {
      peer.outlet.keep(frame);
      this.#forwarded(peer);
    }
    this.flush();
  }

  onGone(wid: number): void {
    this.#peers.get(wid)?.outlet.close();
    this.#peers.delete(wid);
    for (const [bit, peer] of this.#byBit.entries()) if (peer?.wid === wid) this.#byBit[bit] = undefined;
  }

  /** @returns once nothing waits any more, or those it is for read no more */
  async drained(): Promise<void> {
    this.flush();
    while (this.#stagedBytes > 0 || this.waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  close(): void {
    for (const { outlet } of this.#peers.values()) outlet.close();
    this.#board.close();
  }

  /** Counts what is said, and whom it spares. */
  #targets(nsp: string, rooms: readonly unknown[], to: PublishHeader["to"]): readonly Peer[] {
    const board = this.#board;
    board.clear();
    if (to === "open") board.add(openKey(nsp));
    else if (rooms.length === 0) board.add(occupiedKey(nsp));
    else for (const room of rooms) this.#lookUp(nsp, room);
    for (const joining of this.#joinings) {
      if (to === "open" || joining.nsp !== nsp || !joining.rooms.some((room) => rooms.includes(room))) continue;
      board.low |= joining.low;
      board.high |= joining.high;
    }
    const peers: Peer[] = [];
    this.#addPeers(board.low, 0, peers);
    this.#addPeers(board.high, 32, peers);
    const { tally, siblingCount } = this.#options;
    tally.received();
    tally.skipped(Math.max(0, siblingCount() - peers.length));
    return peers;
  }

  #lookUp(nsp: string, room: unknown): void {
    // Rooms of other types are equal to nothing on another worker.
    if (typeof room !== "string" && typeof room !== "number") return;
    this.#board.add(roomKey(nsp, room));
    const prefix = namedBy(room);
    if (prefix !== undefined && prefix !== this.#options.prefix) this.#board.add(prefixKey(prefix));
  }

  #addPeers(mask: number, from: number, into: Peer[]): void {
    for (let left = mask; left !== 0; left &= left - 1) {
      const peer = this.#peerAt(from + 31 - Math.clz32(left & -left));
      if (peer !== null && !peer.outlet.isGone) into.push(peer);
    }
  }

  #peerAt(bit: number): Peer | null {
    const known = this.#byBit[bit];
    // A bit comes back when all others have been given in between; then it is another worker's.
    if (known !== undefined && known?.outlet.isGone !== true) return known;
    const wid = this.#board.widOf(bit);
    const peer = wid === this.#options.wid ? null : this.#peer(wid);
    this.#byBit[bit] = peer;
    return peer;
  }

  #peer(wid: number): Peer {
    let peer = this.#peers.get(wid);
    if (peer === undefined) {
      const { open, wid: own, maxQueueBytes } = this.#options;
      peer = { wid, outlet: new Outlet(own, open(wid), maxQueueBytes) };
      this.#peers.set(wid, peer);
    }
    return peer;
  }

  /** Of a message that joins sockets elsewhere: whoever gets it tells the primary by that number when it has. */
  #numberOfJoining(): number {
    return this.#options.wid * JOININGS_A_WORKER + (this.#nextJoining++ % JOININGS_A_WORKER);
  }

  #sendTo(peer: Peer, frame: readonly Buffer[]): void {
    this.#offer(peer, frame, this.#host.unknownJoins);
    this.#schedule();
  }

  /** @returns those that will get it */
  #send(peers: readonly Peer[], frame: readonly Buffer[]): readonly Peer[] {
    const { unknownJoins } = this.#host;
    const taken = peers.filter((peer) => this.#offer(peer, frame, unknownJoins));
    this.#schedule();
    return taken;
  }

  /** @returns false where too much waits: it was dropped and counted. A request stays expected: its caller is told by the timeout that an answer is missing */
  #offer(peer: Peer, frame: readonly Buffer[], unknownJoins: number): boolean {
    const isStaged = unknownJoins > 0 || this.#staged.length > 0;
    const isTaken = isStaged ? this.#stage(peer, frame, unknownJoins) : peer.outlet.hold(frame);
    if (!isTaken) this.#options.tally.dropped();
    else if (!isStaged) this.#forwarded(peer);
    return isTaken;
  }

  #stage(peer: Peer, frame: readonly Buffer[], unknownJoins: number): boolean {
    if (unknownJoins > this.#stagedUntil) this.#stagedUntil = unknownJoins;
    this.#host.holdEveryone(this.#stagedUntil);
    if (this.#stagedBytes >= this.#options.maxQueueBytes) return false;
    this.#staged.push({ peer, frame });
    for (const { length } of frame) this.#stagedBytes += length;
    return true;
  }

  #forwarded({ outlet, wid }: Peer): void {
    if (wid === OUTSIDE_WID) return;
    this.#options.tally.forwarded(1);
    this.#held.add(outlet);
  }

  #schedule(): void {
    if (this.#isScheduled || (this.#held.size === 0 && (this.#outside?.outlet.queueBytes ?? 0) === 0)) return;
    this.#isScheduled = true;
    this.#options.schedule();
  }
}
