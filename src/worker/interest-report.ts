/**
 * Tells the hub what this worker is interested in: its namespaces, those with sockets in them, its rooms. Changes collect until something must
 * follow them on the wire, or the turn of the event loop ends; so the hub always knows of a join before it reads what was published after it.
 */
import type { InterestChange, UpMessage } from "../link/messages.js";
import type { JoinGate } from "./join-gate.js";

export class InterestReport {
  readonly #send: (message: UpMessage) => void;
  readonly #gate: JoinGate;
  #changes: InterestChange[] = [];
  /** Number the next batch of changes will carry. */
  #seq = 1;
  #known = 0;
  /** Joins the hub does not know of yet: namespace and room to the batch they are in. */
  readonly #unknownJoins = new Map<string, number>();

  constructor(send: (message: UpMessage) => void, gate: JoinGate) {
    this.#send = send;
    this.#gate = gate;
  }

  add(change: InterestChange): void {
    this.#changes.push(change);
    if (this.#changes.length === 1) setImmediate(() => this.flush());
  }

  join(nsp: string, room: string): void {
    this.add(["join", nsp, room]);
    this.#unknownJoins.set(roomKey(nsp, room), this.#seq);
  }

  leave(nsp: string, room: string): void {
    this.add(["leave", nsp, room]);
    this.#unknownJoins.delete(roomKey(nsp, room));
  }

  flush(): void {
    if (this.#changes.length === 0) return;
    this.#send({ t: "interest", seq: this.#seq++, changes: this.#changes });
    this.#changes = [];
  }

  /** Holds a session's writes until the hub knows that this worker has members in these rooms. */
  holdUntilKnown(sid: string, nsp: string, rooms: Iterable<string>): void {
    let seq = 0;
    for (const room of rooms) {
      // Rooms of other types were never told to the hub.
      if (typeof room === "string" || typeof room === "number")
        seq = Math.max(seq, this.#unknownJoins.get(roomKey(nsp, room)) ?? 0);
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
    this.#gate.release(seq);
  }
}

const roomKey = (nsp: string, room: string): string => `${nsp}\0${room}`;
