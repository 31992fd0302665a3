/**
 * Tells the hub what this worker is interested in: its namespaces, those with sockets in them, its rooms. Changes collect until something must
 * follow them on the wire, or the turn of the event loop ends; so the hub always knows of a join before it reads what was published after it.
 */
import type { InterestChange, UpMessage } from "../link/messages.js";
import { isNamedBy } from "../routing/address.js";
import type { JoinGate } from "./join-gate.js";
import type { ChangeBatch } from "./recovery/change-report.js";

export class InterestReport {
  readonly #send: (message: UpMessage, body?: Buffer) => void;
  readonly #gate: JoinGate;
  /** Takes the changes of sessions that are to go along. */
  readonly #takeSessions: () => ChangeBatch | undefined;
  #changes: InterestChange[] = [];
  #isDue = false;
  /** Number the next batch of changes will carry. */
  #seq = 1;
  #known = 0;
  /** Number of the last batch with a join in it. */
  #lastJoin = 0;
  /** Joins the hub does not know of yet: namespace and room, or the namespace that got its first socket, to the batch they are in. */
  readonly #unknownJoins = new Map<string, number>();
  readonly #prefix: string | undefined;
  readonly #onKnown: (seq: number) => void;

  /**
   * @param onKnown called before anybody hears that the hub knows
   * @param prefix what the ids of this worker's sockets begin with, which the hub knows: rooms of these names are not reported
   */
  constructor(
    send: (message: UpMessage, body?: Buffer) => void,
    gate: JoinGate,
    takeSessions: () => ChangeBatch | undefined,
    onKnown: (seq: number) => void,
    prefix: string | undefined,
  ) {
    this.#onKnown = onKnown;
    this.#prefix = prefix;
    this.#send = send;
    this.#gate = gate;
    this.#takeSessions = takeSessions;
  }

  add(change: InterestChange): void {
    this.#changes.push(change);
    this.schedule();
  }

  /** Has {@link flush} called before the turn ends. */
  schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => this.flush());
  }

  occupy(nsp: string): void {
    this.add(["occupy", nsp]);
    this.#unknownJoins.set(nsp, this.#seq);
    this.#lastJoin = this.#seq;
  }

  vacate(nsp: string): void {
    this.add(["vacate", nsp]);
    this.#unknownJoins.delete(nsp);
  }

  join(nsp: string, room: string): void {
    if (this.#isOwn(room)) return;
    this.add(["join", nsp, room]);
    this.#unknownJoins.set(roomKey(nsp, room), this.#seq);
    this.#lastJoin = this.#seq;
  }

  leave(nsp: string, room: string): void {
    if (this.#isOwn(room)) return;
    this.add(["leave", nsp, room]);
    this.#unknownJoins.delete(roomKey(nsp, room));
  }

  flush(): void {
    this.#isDue = false;
    const sessions = this.#takeSessions();
    if (this.#changes.length === 0 && sessions === undefined) return;
    const changes = this.#changes;
    this.#changes = [];
    if (sessions === undefined) this.#send({ t: "interest", seq: this.#seq++, changes });
    else this.#send({ t: "interest", seq: this.#seq++, changes, sessions: sessions.changes }, sessions.body);
  }

  /** Number of the last batch of which the hub does not know and that has a join in it; 0: it knows of every join. */
  get lastUnknown(): number {
    return this.#lastJoin > this.#known ? this.#lastJoin : 0;
  }

  /** Number that the next batch will carry. */
  get next(): number {
    return this.#seq;
  }

  /** Number of the batch that tells the hub of that room, or without one, or for a room of its own, of the namespace's first socket; 0: it knows. */
  unknownBatch(nsp: string, room?: string): number {
    return this.#unknownJoins.get(room === undefined || this.#isOwn(room) ? nsp : roomKey(nsp, room)) ?? 0;
  }

  /** Holds a session's writes until the hub knows of everything up to now. Something must have changed in this turn. */
  holdUntilReported(sid: string): void {
    this.#gate.hold(sid, this.#seq);
  }

  /** Holds a session's writes until the hub knows that this worker has members in these rooms. */
  holdUntilKnown(sid: string, nsp: string, rooms: Iterable<string>): void {
    let seq = 0;
    for (const room of rooms) {
      // Rooms of other types were never told to the hub.
      if (typeof room === "string" || typeof room === "number") seq = Math.max(seq, this.unknownBatch(nsp, room));
    }
    if (seq > this.#known) this.#gate.hold(sid, seq);
  }

  /** Holds every session's writes until the hub has read what was sent to it so far. */
  holdEveryone(): void {
    this.#gate.holdEveryone(this.#seq);
    this.#send({ t: "interest", seq: this.#seq++, changes: [] });
  }

  /** The hub knows of every batch up to this one. */
  known(seq: number): void {
    this.#known = seq;
    for (const [key, unknown] of this.#unknownJoins) {
      if (unknown > seq) break;
      this.#unknownJoins.delete(key);
    }
    this.#onKnown(seq);
    this.#gate.release(seq);
  }

  #isOwn(room: string): boolean {
    return this.#prefix !== undefined && isNamedBy(this.#prefix, room);
  }
}

const roomKey = (nsp: string, room: string): string => `${nsp}\0${room}`;
