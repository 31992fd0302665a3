/**
 * Asks the primary for the sessions of clients that come back, and keeps what is for them until their sockets are connected: what the hub passes on from
 * the answer on, and what this worker publishes itself from the question on.
 */
import type { RecoveryDown, RecoveryUp, SessionChange } from "../../link/recovery-messages.js";
import { Arrival } from "./arrival.js";
import type { ClaimClock } from "./claim-clock.js";
import { isFor, OwnPublications, type OwnPublication } from "./own-publications.js";

export interface RestoringOptions {
  readonly clock: ClaimClock;
  /** Sends what has changed, then the message. */
  readonly tell: (message: RecoveryUp) => void;
  readonly report: (change: SessionChange) => void;
  /** Bytes that may be kept while answers are awaited. */
  readonly maxKeptBytes: number;
}

interface Ask {
  readonly nsp: string;
  readonly pid: string;
  readonly offset: string;
  /** This worker's last publication when it asked. */
  readonly seq: number;
  readonly attempt: number;
  /** Publications since could not all be kept. */
  isShort: boolean;
  readonly resolve: (arrival: Arrival | undefined) => void;
}

type Restored = Extract<RecoveryDown, { t: "restored" }>;

const MAX_ATTEMPTS = 3;
/** Both are what a client says. A longer one is none of limpet's, which a part of it shows as well. */
const MAX_PID_LENGTH = 64;
const MAX_OFFSET_LENGTH = 256;
const NOBODY: ReadonlyMap<string, Arrival> = new Map();

export class Restoring {
  readonly #clock: ClaimClock;
  readonly #tell: RestoringOptions["tell"];
  readonly #report: RestoringOptions["report"];
  readonly #asks = new Map<number, Ask>();
  readonly #own: OwnPublications;
  /** By namespace and socket id. */
  readonly #arrivals = new Map<string, Map<string, Arrival>>();
  #lastId = 0;

  constructor({ clock, tell, report, maxKeptBytes }: RestoringOptions) {
    this.#clock = clock;
    this.#tell = tell;
    this.#report = report;
    this.#own = new OwnPublications(maxKeptBytes);
  }

  /** Whether publications of this worker must be kept. */
  get isAsking(): boolean {
    return this.#asks.size > 0;
  }

  /** By socket id. */
  arrivals(nsp: string): ReadonlyMap<string, Arrival> {
    return this.#arrivals.get(nsp) ?? NOBODY;
  }

  arrivalOf(pid: string): Arrival | undefined {
    for (const arrivals of this.#arrivals.values())
      for (const arrival of arrivals.values()) if (arrival.pid === pid) return arrival;
    return undefined;
  }

  /** @returns undefined: the client starts anew */
  ask(nsp: string, pid: string, offset: string): Promise<Arrival | undefined> {
    const [askedPid, askedOffset] = [pid.slice(0, MAX_PID_LENGTH), offset.slice(0, MAX_OFFSET_LENGTH)];
    return new Promise((resolve) => this.#ask(nsp, askedPid, askedOffset, 1, resolve));
  }

  /** Call before the publication is on the wire to its receivers. */
  keepOwn(publication: OwnPublication): void {
    if (this.#own.add(publication)) return;
    for (const ask of this.#asks.values()) ask.isShort = true;
  }

  onRestored({ id, session }: Restored, body: Buffer): void {
    const ask = this.#asks.get(id);
    if (ask === undefined) return;
    this.#asks.delete(id);
    if (session === undefined) {
      ask.resolve(undefined);
    } else {
      this.#clock.advance(session.pos, session.streamId);
      const arrival = new Arrival({ askId: id, nsp: ask.nsp, pid: ask.pid }, session, body);
      if (ask.isShort) this.#askAgain(ask, arrival);
      else this.#receive(ask, arrival, session.seq);
    }
    // The one that has waited longest asked first.
    const [oldest] = this.#asks.values();
    this.#own.forgetUpTo(oldest?.seq ?? Infinity);
  }

  /** Its socket is connected, or never will be. The session's last changes were reported before. */
  resumed(arrival: Arrival): void {
    const arrivals = this.#arrivals.get(arrival.nsp);
    if (arrivals?.get(arrival.id) === arrival) {
      arrivals.delete(arrival.id);
      if (arrivals.size === 0) this.#arrivals.delete(arrival.nsp);
    }
    this.#tell({ t: "resumed", id: arrival.askId });
  }

  #ask(nsp: string, pid: string, offset: string, attempt: number, resolve: Ask["resolve"]): void {
    const id = ++this.#lastId;
    this.#asks.set(id, { nsp, pid, offset, seq: this.#clock.seq, attempt, isShort: false, resolve });
    this.#tell({ t: "restore", id, nsp, pid, offset });
  }

  #receive(ask: Ask, arrival: Arrival, loggedSeq: number): void {
    for (const publication of this.#own.after(Math.max(ask.seq, loggedSeq))) {
      const isMissed = publication.nsp === ask.nsp && isFor(publication, (room) => arrival.rooms.has(room));
      if (isMissed) arrival.keep(publication.content(), publication.claim, publication.bytes);
    }
    const arrivals = this.#arrivals.get(ask.nsp);
    if (arrivals === undefined) this.#arrivals.set(ask.nsp, new Map([[arrival.id, arrival]]));
    else arrivals.set(arrival.id, arrival);
    ask.resolve(arrival);
  }

  /** The log has by now what could not be kept. */
  #askAgain({ nsp, pid, offset, attempt, resolve }: Ask, arrival: Arrival): void {
    this.#report(["left", pid, arrival.generation]);
    this.#tell({ t: "resumed", id: arrival.askId });
    if (attempt < MAX_ATTEMPTS) this.#ask(nsp, pid, offset, attempt + 1, resolve);
    else resolve(undefined);
  }
}
