/**
 * Takes what the workers say of their sessions into the table, and tells the fleet what it must know of it. What a worker says of a session that has gone
 * elsewhere is refused.
 */
import type { Interest } from "../link/messages.js";
import type { SessionChange, Stamp } from "../link/recovery-messages.js";
import { parseClaim, type Claim } from "../recovery/claim.js";
import type { FleetSessions } from "../recovery/fleet-sessions.js";
import { recordOf, type Session, type SessionTable } from "../recovery/session-table.js";
import { BatchPositions, type LogPosition } from "./batch-positions.js";

export interface SessionChangesOptions {
  readonly table: SessionTable;
  /** Where the log stands. */
  readonly position: () => LogPosition;
  /** Undefined without Redis. */
  readonly fleet: () => FleetSessions | undefined;
  readonly keepMs: number;
  readonly now: () => number;
  /** A change that came too late, or that the bounds do not allow for. */
  readonly onRefused: (reason: "late" | "bounds") => void;
}

type Kept = Exclude<SessionChange, readonly ["open", ...unknown[]]>;

export class SessionChanges {
  readonly #options: SessionChangesOptions;
  readonly #batches = new Map<number, BatchPositions>();

  constructor(options: SessionChangesOptions) {
    this.#options = options;
  }

  /** Call for each batch of a worker's interest, before anything later is read. */
  onInterest(wid: number, { seq, sessions = [] }: Interest, body: Buffer): void {
    let batches = this.#batches.get(wid);
    if (batches === undefined) this.#batches.set(wid, (batches = new BatchPositions()));
    batches.add(seq, this.#options.position());
    let at = 0;
    const bytesOf = (length: number): Buffer => Buffer.from(body.subarray(at, (at += length)));
    for (const change of sessions) {
      if (change[0] === "open") this.#open(wid, change, bytesOf(change[6]));
      else this.#change(wid, change, change[0] === "data" ? bytesOf(change[3]) : undefined);
    }
  }

  workerGone(wid: number): void {
    this.#batches.delete(wid);
    const { table, fleet, keepMs, now } = this.#options;
    for (const session of table.workerGone(wid, now())) fleet()?.left(recordOf(session), keepMs);
  }

  #open(
    wid: number,
    [, nsp, pid, id, since, rooms]: Extract<SessionChange, readonly ["open", ...unknown[]]>,
    data: Buffer,
  ): void {
    const { table, fleet, onRefused } = this.#options;
    const isOpen = table.open(wid, {
      nsp,
      pid,
      id,
      since: this.#claimOf(wid, since),
      rooms: rooms.map(([room, joined]) => [room, this.#claimOf(wid, joined)] as const),
      data,
    });
    const session = table.get(pid);
    if (isOpen && session !== undefined) fleet()?.save(recordOf(session));
    else onRefused("bounds");
  }

  #change(wid: number, change: Kept, data: Buffer | undefined): void {
    const { table, fleet, keepMs, now, onRefused } = this.#options;
    const session = table.held(wid, change[1], change[2]);
    if (session === undefined) {
      onRefused("late");
      return;
    }
    switch (change[0]) {
      case "left":
        table.left(session, now());
        fleet()?.left(recordOf(session), keepMs);
        return;
      case "end":
        table.end(session, "ended");
        fleet()?.end(session.pid);
        return;
      case "data":
        if (data !== undefined && !table.setData(session, data)) onRefused("bounds");
        break;
      default:
        this.#apply(wid, session, change);
    }
    fleet()?.save(recordOf(session));
  }

  #apply(
    wid: number,
    session: Session,
    change: Extract<Kept, readonly ["join" | "leave" | "life", ...unknown[]]>,
  ): void {
    const { table } = this.#options;
    switch (change[0]) {
      case "join":
        table.join(session, change[3], this.#claimOf(wid, change[4]));
        break;
      case "leave":
        table.leave(session, change[3]);
        break;
      case "life":
        table.setLife(session, claimOf(change[3]));
        break;
    }
  }

  /** What was passed on before the hub knew of the worker's interest was not for it. */
  #claimOf(wid: number, [text, batch]: Stamp): Claim {
    const claim = claimOf(text);
    const position = batch === 0 ? undefined : this.#batches.get(wid)?.at(batch);
    return position === undefined ? claim : { ...claim, pos: position.pos, streamId: position.streamId };
  }
}

/** @throws Error where a worker says what is no claim */
function claimOf(text: string): Claim {
  const claim = parseClaim(text);
  if (claim === undefined) throw new Error(`no claim: ${text}`);
  return claim;
}
