/**
 * A worker's end of the link: tells the hub what this worker is interested in, publishes, asks, and hands what arrives to the adapters.
 */
import type { EntryAnswer, Refused } from "../access/refusals.js";
import { encodeFrame } from "../link/frame.js";
import type { Beat, Deliver, DownMessage, RemoteNode, Sibling, StopOptions, UpMessage } from "../link/messages.js";
import { NOTHING, OUTSIDE_WID } from "../link/messages.js";
import type { RecoveryDown, RecoveryUp, Unicast } from "../link/recovery-messages.js";
import { decodePayload, encodePayload, type EventOptions, type Payload } from "../link/payload.js";
import { Deliveries, requestIdOf, type DeliveryHandler, type PortAdapter } from "./deliveries.js";
import { InterestReport } from "./interest-report.js";
import type { JoinGate } from "./join-gate.js";
import type { ChangeBatch } from "./recovery/change-report.js";
import type { HubRoute, PublishHeader } from "./hub-route.js";
import { Questions } from "./questions.js";
import type { RequestHandler } from "./requests.js";
import { Requests } from "./requests.js";

/** What the port needs of a wire. */
export interface PortWire {
  readonly queueBytes: number;
  send(header: object, body?: Buffer): void;
  flush(): void;
  offer(frame: readonly Buffer[]): boolean;
}

/** Recovery, as the port sees it. */
export interface PortRecovery {
  /** Everything up to this position that is for this worker comes before the next message. */
  advance(pos: number, streamId: string | undefined): void;
  takeChanges(): ChangeBatch | undefined;
  onMessage(message: RecoveryDown, body: Buffer): void;
}

export interface PortHandler extends DeliveryHandler {
  onSiblings(siblings: readonly Sibling[]): void;
  /** @param complete whether a node that is not among them is known to live no more */
  onNodes(nodes: readonly RemoteNode[], complete: boolean): void;
  /** Whether the node holds as many sessions as it may. */
  onFull(full: boolean): void;
  onCollect(id: number): void;
  onStop(options: StopOptions): void;
  /** A message that this worker's own full wire could not take. */
  onDropped(): void;
  /** An answer for another worker (an ack's value, a socket's data) that cannot be serialised. */
  onUnserializable(error: unknown): void;
}

export class HubPort {
  readonly #wire: PortWire;
  readonly #route: HubRoute;
  readonly #handler: PortHandler;
  readonly #adapters = new Map<string, PortAdapter>();
  readonly #requests = new Requests();
  readonly #counts = new Questions<number>();
  readonly #entries = new Questions<EntryAnswer>();
  readonly #seeks = new Questions<void>();
  readonly #interest: InterestReport;
  readonly #deliveries: Deliveries;
  #recovery: PortRecovery | undefined;

  /**
   * @param route how other workers are reached
   * @param prefix as of {@link InterestReport}
   */
  constructor(wire: PortWire, route: HubRoute, gate: JoinGate, handler: PortHandler, prefix?: string) {
    this.#wire = wire;
    this.#route = route;
    const interest = new InterestReport(
      (message, body) => this.#send(message, body),
      gate,
      () => this.#recovery?.takeChanges(),
      (seq) => route.onKnown(seq),
      prefix,
    );
    this.#interest = interest;
    route.attach({
      get unknownJoins() {
        return interest.lastUnknown;
      },
      get nextBatch() {
        return interest.next;
      },
      holdEveryone: (batch) => gate.holdEveryone(batch),
      expect: (req, wids) => this.#requests.expect(req, wids),
    });
    this.#handler = handler;
    this.#deliveries = new Deliveries(this.#adapters, handler, (from, nsp, requestId) =>
      this.reply(from, nsp, NOTHING, { requestId }),
    );
  }

  /** Call before the first socket is there. Without it recovery is off. */
  set recovery(recovery: PortRecovery) {
    this.#recovery = recovery;
  }

  get queueBytes(): number {
    return this.#wire.queueBytes;
  }

  open(nsp: string, adapter: PortAdapter): void {
    this.#adapters.set(nsp, adapter);
    this.#interest.add(["open", nsp]);
  }

  close(nsp: string, adapter: PortAdapter): void {
    if (this.#adapters.get(nsp) !== adapter) return;
    this.#adapters.delete(nsp);
    this.#interest.add(["close", nsp]);
  }

  occupy(nsp: string): void {
    this.#interest.occupy(nsp);
  }

  vacate(nsp: string): void {
    this.#interest.vacate(nsp);
  }

  join(nsp: string, room: string): void {
    this.#interest.join(nsp, room);
  }

  leave(nsp: string, room: string): void {
    this.#interest.leave(nsp, room);
  }

  /** Holds a session's writes until the hub knows that this worker has members in these rooms. */
  holdUntilKnown(sid: string, nsp: string, rooms: Iterable<string>): void {
    this.#interest.holdUntilKnown(sid, nsp, rooms);
  }

  /** The same, until the hub knows of all that has changed up to now, sessions included. Something must have. */
  holdUntilReported(sid: string): void {
    this.#interest.holdUntilReported(sid);
  }

  /** Number of the interest message that tells the hub of that room, or without one of the namespace's first socket; 0: it knows. */
  unknownBatch(nsp: string, room?: string): number {
    return this.#interest.unknownBatch(nsp, room);
  }

  /** Sessions have changed: the next interest message takes that along. */
  scheduleReport(): void {
    this.#interest.schedule();
  }

  /**
   * @param data payload of a Socket.IO ClusterMessage
   * @returns false where the wire is full: the message was dropped and counted
   * @throws TypeError where the payload cannot be serialised (a BigInt, a cycle)
   */
  publish(message: PublishHeader, data: object): boolean {
    return this.publishPayload(message, encodePayload(data));
  }

  /** The same, of a payload that is serialised already. */
  publishPayload(message: PublishHeader, payload: Payload): boolean {
    this.#interest.flush();
    if (!this.#route.publish(message, payload)) return false;
    // The hub counts the receivers as members once it has read of this; it answers what follows with `known`.
    if (message.joins !== undefined) this.#interest.holdEveryone();
    return true;
  }

  /**
   * Publishes a plain event whose arguments are serialised already.
   * @param opts in the form of a ClusterMessage
   * @param seq its number, where clients that are away are to get it later
   */
  publishEvent(nsp: string, args: string, opts: EventOptions, seq?: number): void {
    this.#interest.flush();
    this.#route.publishEvent(nsp, args, opts, seq);
  }

  /** Copies into the log what goes to one client. @param body as that of a publish */
  unicast(header: Omit<Unicast, "t">, body: Buffer | string): void {
    this.#interest.flush();
    if (!this.#wire.offer(encodeFrame({ t: "unicast", ...header } satisfies Unicast, body))) this.#handler.onDropped();
  }

  /** Sends a word of recovery behind all that has changed. */
  tell(message: RecoveryUp): void {
    this.#interest.flush();
    this.#send(message);
  }

  /** Puts on the wire what has changed. */
  report(): void {
    this.#interest.flush();
  }

  /** Sends what was published in this turn of the event loop. */
  flush(): void {
    this.#wire.flush();
    this.#route.flush();
  }

  /** @returns the id that {@link publish} must carry as `req` and in the payload */
  request(handler: RequestHandler): string {
    return this.#requests.open(handler);
  }

  /** @returns how many workers still owed an answer */
  abandon(id: string): number {
    return this.#requests.abandon(id);
  }

  /** An answer that cannot be serialised is reported, and stays missing: who asked hears of it by the timeout. */
  reply(to: number, nsp: string, type: number, data: object): void {
    let payload: Payload;
    try {
      payload = encodePayload(data);
    } catch (error) {
      this.#handler.onUnserializable(error);
      return;
    }
    this.#interest.flush();
    this.#route.reply({ to, nsp, type }, payload);
  }

  /** Workers of the node, this one among them, that have the namespace open. */
  count(nsp: string): Promise<number> {
    this.#interest.flush();
    return this.#counts.ask((id) => this.#send({ t: "count", id, nsp }));
  }

  /** @returns once the handler has been told of the nodes as they are now, as far as they can be known */
  seekNodes(): Promise<void> {
    return this.#seeks.ask((id) => this.#send({ t: "seek", id }));
  }

  /** Asks for a place of that address; {@link leaveAddress} gives it back. */
  enterAddress(address: string): Promise<EntryAnswer> {
    return this.#entries.ask((id) => this.#send({ t: "enter", id, address }));
  }

  leaveAddress(address: string): void {
    this.#send({ t: "leave", address });
  }

  /** Asks whether that user may connect. */
  admit(user: string): Promise<EntryAnswer> {
    return this.#entries.ask((id) => this.#send({ t: "admit", id, user }));
  }

  beat(beat: Beat): void {
    this.#send({ t: "beat", ...beat });
  }

  metrics(id: number, snapshot: unknown): void {
    this.#send({ t: "metrics", id }, Buffer.from(JSON.stringify(snapshot)));
  }

  onMessage(message: DownMessage, body: Buffer): void {
    switch (message.t) {
      case "deliver":
        this.#onDeliver(message, body);
        break;
      case "reply": {
        const data = decodePayload({ bin: message.bin, body });
        if (message.type === NOTHING) this.#requests.none(requestIdOf(data), message.from);
        else if (message.from === OUTSIDE_WID) this.#requests.part(requestIdOf(data), message.from, message.type, data);
        else this.#requests.reply(requestIdOf(data), message.from, message.type, data);
        break;
      }
      case "known":
        if (message.pos !== undefined) this.#recovery?.advance(message.pos, message.streamId);
        this.#interest.known(message.seq);
        break;
      case "entry":
        this.#entries.answer(message.id, (message.refused as Refused | undefined) ?? "entered");
        break;
      case "full":
        this.#handler.onFull(message.full);
        break;
      case "expect":
        this.#requests.expect(message.req, message.wids);
        break;
      case "gone":
        this.#route.onGone(message.wid);
        this.#requests.gone(message.wid);
        break;
      case "counted":
        this.#counts.answer(message.id, message.count);
        break;
      case "sought":
        this.#seeks.answer(message.id);
        break;
      case "siblings":
        this.#handler.onSiblings(message.list);
        break;
      case "nodes":
        this.#handler.onNodes(message.list, message.complete);
        break;
      case "collect":
        this.#handler.onCollect(message.id);
        break;
      case "stop":
        this.#handler.onStop(message);
        break;
      default:
        this.#recovery?.onMessage(message, body);
    }
  }

  #onDeliver(message: Deliver, body: Buffer): void {
    if (message.pos !== undefined) this.#recovery?.advance(message.pos, message.streamId);
    try {
      this.#deliveries.take(message, body);
    } finally {
      if (message.settle !== undefined) {
        this.#interest.flush();
        this.#send({ t: "settled", n: message.settle });
      }
    }
  }

  #send(message: UpMessage, body?: Buffer): void {
    this.#wire.send(message, body);
  }
}
