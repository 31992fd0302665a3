/**
 * The sessions that clients of this node can come back to: those that are connected, with the worker that has them, and those that are away, until their time
 * is over. Taking a session over fences its former worker: what that one says with an older generation is refused.
 *
 * It is bounded in number and in bytes. Beyond that, those that have been away longest go first; while nobody is away, newcomers are not taken.
 */
import { mergeClaims, type Claim } from "./claim.js";
import type { RecoveryOutcome } from "../telemetry/recovery-outcome.js";
import type { SessionRecord } from "./session-record.js";

export interface SessionTableOptions {
  readonly maxCount: number;
  readonly maxBytes: number;
  /** How long a session may be away. */
  readonly keepMs: number;
}

/** A session as the table holds it; to be changed by the table alone. */
export interface Session {
  readonly nsp: string;
  readonly pid: string;
  readonly id: string;
  /** Grows with each time that it is given to a worker. */
  generation: number;
  /** Grows with each time that it goes to another node: then Redis takes no older one. */
  readonly fence: number;
  /** Each with the claim of its worker at the join. */
  readonly rooms: Map<string, Claim>;
  data: Buffer;
  readonly since: Claim;
  /** Unicasts that stand in this node's log up to here went with the session when it was handed on to another node, from which it has come back. */
  readonly unicastsAfter: number;
  life: Claim | undefined;
  former: readonly Claim[];
  /** The worker that has it; undefined: it is away. */
  wid: number | undefined;
}

export type NewSession = Pick<Session, "nsp" | "pid" | "id" | "since" | "data"> & {
  readonly rooms: readonly (readonly [room: string, joined: Claim])[];
};

/** Why a session is not there any more. */
export type Ending = Extract<RecoveryOutcome, "expired" | "ended" | "evicted">;

/** What a session costs besides its names, rooms and data. */
const SESSION_BYTES = 1_000;
const ROOM_BYTES = 250;
/** Nodes that a session has been at, as far as it remembers what its client had received of them. */
const MAX_FORMER = 4;
/** So many that are over are remembered, for the sake of a word why. */
const MAX_ENDINGS = 10_000;

export class SessionTable {
  readonly #options: SessionTableOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #byWorker = new Map<number, Set<Session>>();
  /** Those that are away, with the time they left; the first has been away longest. */
  readonly #away = new Map<Session, number>();
  readonly #endings = new Map<string, Ending>();
  #bytes = 0;
  /** No two grants have the same one: what a worker says late of a session that was here before is not taken for what it says now. */
  #lastGeneration = 0;

  constructor(options: SessionTableOptions) {
    this.#options = options;
  }

  get connectedCount(): number {
    return this.#sessions.size - this.#away.size;
  }

  get awayCount(): number {
    return this.#away.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(pid: string): Session | undefined {
    return this.#sessions.get(pid);
  }

  /** Why a session is not there; undefined: nothing is known of it. */
  endingOf(pid: string): Ending | undefined {
    return this.#endings.get(pid);
  }

  /** Sessions of a worker. */
  *of(wid: number): Iterable<Session> {
    yield* this.#byWorker.get(wid) ?? [];
  }

  all(): Iterable<Session> {
    return this.#sessions.values();
  }

  *connected(): Iterable<Session> {
    for (const sessions of this.#byWorker.values()) yield* sessions;
  }

  /** @returns false where the bounds do not allow for it, or the pid is taken */
  open(wid: number, session: NewSession): boolean {
    const opened = {
      ...session,
      rooms: new Map(session.rooms),
      ...{ generation: 1, fence: 1, unicastsAfter: 0, life: undefined, former: [], wid: undefined },
    };
    if (this.#sessions.has(session.pid) || !this.#insert(opened)) return false;
    this.#attach(opened, wid);
    return true;
  }

  /**
   * A session of another node; it is away until it is granted.
   *
   * @param unicastsAfter where this node's log was before what comes with the session
   * @returns undefined where the bounds do not allow for it
   */
  adopt(record: SessionRecord, unicastsAfter: number, nowMs: number): Session | undefined {
    const { nsp, pid, id, generation, rooms, data, since, life, former } = record;
    const session = {
      nsp,
      pid,
      id,
      generation,
      fence: generation,
      rooms: new Map(rooms),
      data,
      since,
      unicastsAfter,
      life,
      former,
      wid: undefined,
    };
    if (!this.#insert(session)) return undefined;
    this.#away.set(session, nowMs);
    return session;
  }

  /** The session, where that worker has it in that generation; else what it says comes too late. */
  held(wid: number, pid: string, generation: number): Session | undefined {
    const session = this.#sessions.get(pid);
    return session?.wid === wid && session.generation === generation ? session : undefined;
  }

  /** A room that it is in already keeps its claim. */
  join(session: Session, room: string, joined: Claim): void {
    if (session.rooms.has(room)) return;
    session.rooms.set(room, joined);
    this.#bytes += roomBytes(room);
  }

  leave(session: Session, room: string): void {
    if (session.rooms.delete(room)) this.#bytes -= roomBytes(room);
  }

  /** @returns false where the bounds do not allow for it: the last data stays */
  setData(session: Session, data: Buffer): boolean {
    const more = data.length - session.data.length;
    if (!this.#makeRoom(more, 0, session)) return false;
    session.data = data;
    this.#bytes += more;
    return true;
  }

  setLife(session: Session, life: Claim): void {
    session.life = life;
  }

  /** Its client has come back with that claim. What the next one says of another node may cover less of this one's messages. */
  setFormer(session: Session, offset: Claim): void {
    const same = session.former.find(({ tag }) => tag === offset.tag);
    const others = session.former.filter((claim) => claim !== same);
    session.former = [...others.slice(1 - MAX_FORMER), same === undefined ? offset : mergeClaims(offset, same)];
  }

  left(session: Session, nowMs: number): void {
    this.#detach(session);
    this.#away.set(session, nowMs);
  }

  /** A worker has ended. @returns its sessions, which are away now */
  workerGone(wid: number, nowMs: number): Session[] {
    const sessions = [...this.of(wid)];
    for (const session of sessions) this.left(session, nowMs);
    return sessions;
  }

  /** Gives a session to a worker, and fences the one that had it. */
  grant(session: Session, wid: number): void {
    this.#detach(session);
    this.#away.delete(session);
    this.#lastGeneration = Math.max(this.#lastGeneration, session.generation) + 1;
    session.generation = this.#lastGeneration;
    this.#attach(session, wid);
  }

  end(session: Session, ending: Ending): void {
    this.remove(session);
    this.#endings.set(session.pid, ending);
    if (this.#endings.size <= MAX_ENDINGS) return;
    for (const oldest of this.#endings.keys()) {
      this.#endings.delete(oldest);
      return;
    }
  }

  /** It goes on elsewhere. */
  remove(session: Session): void {
    if (!this.#sessions.delete(session.pid)) return;
    this.#detach(session);
    this.#away.delete(session);
    this.#bytes -= sessionBytes(session);
  }

  /** Ends those that have been away for too long. */
  expire(nowMs: number): void {
    for (const [session, leftAtMs] of this.#away) {
      if (nowMs - leftAtMs <= this.#options.keepMs) return;
      this.end(session, "expired");
    }
  }

  /** How long a session that is away has left; undefined: it is not away. */
  remainingMs(session: Session, nowMs: number): number | undefined {
    const leftAtMs = this.#away.get(session);
    return leftAtMs === undefined ? undefined : Math.max(0, leftAtMs + this.#options.keepMs - nowMs);
  }

  #insert(session: Session): boolean {
    const bytes = sessionBytes(session);
    if (!this.#makeRoom(bytes, 1)) return false;
    this.#sessions.set(session.pid, session);
    this.#endings.delete(session.pid);
    this.#bytes += bytes;
    return true;
  }

  #makeRoom(bytes: number, count: number, except?: Session): boolean {
    const { maxBytes, maxCount } = this.#options;
    const fits = (): boolean => this.#bytes + bytes <= maxBytes && this.#sessions.size + count <= maxCount;
    for (const session of this.#away.keys()) {
      if (fits()) return true;
      if (session !== except) this.end(session, "evicted");
    }
    return fits();
  }

  #attach(session: Session, wid: number): void {
    session.wid = wid;
    const sessions = this.#byWorker.get(wid);
    if (sessions === undefined) this.#byWorker.set(wid, new Set([session]));
    else sessions.add(session);
  }

  #detach(session: Session): void {
    const { wid } = session;
    if (wid === undefined) return;
    session.wid = undefined;
    const sessions = this.#byWorker.get(wid);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#byWorker.delete(wid);
  }
}

export function recordOf(session: Session): SessionRecord {
  const { nsp, pid, id, fence: generation, rooms, data, since, life, former } = session;
  return { nsp, pid, id, generation, rooms: [...rooms], data, since, life, former };
}

const roomBytes = (room: string): number => ROOM_BYTES + room.length;

function sessionBytes({ nsp, pid, id, rooms, data }: Session): number {
  let bytes = SESSION_BYTES + nsp.length + pid.length + id.length + data.length;
  for (const room of rooms.keys()) bytes += roomBytes(room);
  return bytes;
}
