/**
 * Gives a session to the worker that its client has come back to. A worker that still has it is told to let go of it first: it says what it has to say of the
 * session, and then that the socket is gone. One that is silent is not waited for long, and is fenced; one that has ended has said all it will.
 */
import { MessageType } from "socket.io-adapter";
import type { Inbound } from "../bus/local-side.js";
import type { DownMessage } from "../link/messages.js";
import type { RecoveryUp, RestoredSession } from "../link/recovery-messages.js";
import {
  adoptedBy,
  encodeClaim,
  laterStreamId,
  NOTHING_RECEIVED,
  parseClaim,
  received,
  type Claim,
} from "../recovery/claim.js";
import type { FleetSessions } from "../recovery/fleet-sessions.js";
import type { LateEntries } from "../recovery/late-entries.js";
import type { LogEntry } from "../recovery/log-entry.js";
import { missedBy, type MissedEntry } from "../recovery/missed.js";
import type { RecoveryOutcome } from "../telemetry/recovery-outcome.js";
import type { RoomLog } from "../recovery/room-log.js";
import type { SessionRecord } from "../recovery/session-record.js";
import { recordOf, type Session, type SessionTable } from "../recovery/session-table.js";

/** A worker, as recovery sees it. */
export interface SessionHolder {
  readonly wid: number;
  send(message: DownMessage, body?: Buffer): void;
}

export interface RestoresOptions {
  readonly tag: string;
  readonly table: SessionTable;
  readonly log: RoomLog;
  readonly late: LateEntries;
  /** Undefined without Redis. */
  readonly fleet: () => FleetSessions | undefined;
  /** The worker of that number, while it is there. */
  readonly holder: (wid: number) => SessionHolder | undefined;
  /** Has the hub pass on to the worker what is for these rooms. @returns what ends that */
  readonly anticipate: (wid: number, nsp: string, rooms: readonly string[]) => () => void;
  /** Has the hub log it and pass it on. */
  readonly deliver: (message: Inbound, body: Buffer) => void;
  /** The last publication of that worker in the log. */
  readonly lastSeq: (wid: number) => number;
  readonly maxMissedBytes: number;
  readonly releaseTimeoutMs: number;
  readonly now: () => number;
  readonly onOutcome: (outcome: RecoveryOutcome) => void;
}

interface Attempt {
  readonly asker: SessionHolder;
  readonly id: number;
  readonly nsp: string;
  readonly pid: string;
  /** Undefined: the client has received nothing. */
  readonly offset: Claim | undefined;
}

interface Release {
  readonly wid: number;
  readonly done: () => void;
}

export class Restores {
  readonly #options: RestoresOptions;
  /** By pid: who is given the session once it is free. */
  readonly #waiting = new Map<string, { attempt: Attempt }>();
  /** By pid: on their way here from another node. */
  readonly #fetches = new Map<string, Promise<void>>();
  readonly #releases = new Map<number, Release>();
  #nextRelease = 1;
  /** By worker and its number for the restore: what ends the anticipation of its rooms. */
  readonly #anticipated = new Map<number, Map<number, () => void>>();

  constructor(options: RestoresOptions) {
    this.#options = options;
  }

  restore(asker: SessionHolder, { id, nsp, pid, offset: text }: Extract<RecoveryUp, { t: "restore" }>): void {
    const offset = text === NOTHING_RECEIVED ? undefined : parseClaim(text);
    const attempt = { asker, id, nsp, pid, offset };
    if (offset === undefined && text !== NOTHING_RECEIVED) {
      this.#refuse(attempt, "bad_offset");
      return;
    }
    const waiting = this.#waiting.get(pid);
    if (waiting !== undefined) {
      // The same client once more: its connection before this one is gone.
      this.#refuse(waiting.attempt, "superseded");
      waiting.attempt = attempt;
      return;
    }
    const { table } = this.#options;
    const session = table.get(pid);
    if (session !== undefined && session.nsp !== nsp) this.#refuse(attempt, "namespace");
    else if (session?.wid !== undefined) this.#whenFree(attempt, this.#letGo(session));
    else if (session !== undefined) this.#grant(attempt, session);
    else this.#fetch(attempt);
  }

  released(wid: number, id: number): void {
    const release = this.#releases.get(id);
    if (release?.wid === wid) release.done();
  }

  resumed(wid: number, id: number): void {
    const ends = this.#anticipated.get(wid);
    ends?.get(id)?.();
    ends?.delete(id);
  }

  /** Call after everything the worker sent was read, and its sessions are away. */
  workerGone(wid: number): void {
    for (const release of [...this.#releases.values()]) if (release.wid === wid) release.done();
    for (const end of this.#anticipated.get(wid)?.values() ?? []) end();
    this.#anticipated.delete(wid);
  }

  /**
   * Has the session's worker let go of it.
   * @returns once it has, or has ended, or was silent for too long; at once where the session is away
   */
  #letGo({ pid, generation, wid }: Session): Promise<void> {
    const holder = wid === undefined ? undefined : this.#options.holder(wid);
    if (holder === undefined) return Promise.resolve();
    const id = this.#nextRelease++;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#releases.delete(id);
        resolve();
      };
      const timer = setTimeout(done, this.#options.releaseTimeoutMs);
      this.#releases.set(id, { wid: holder.wid, done });
      holder.send({ t: "release", id, pid, generation });
    });
  }

  /**
   * As the fleet asks: the session is free for the node that has taken it over.
   *
   * @param fence what is older goes; a session that has been taken back since is left alone
   * @returns undefined where it is not known here, or has gone meanwhile
   */
  async free(pid: string, fence: number): Promise<Session | undefined> {
    const { table } = this.#options;
    // A client that goes on before it has arrived: what comes with its session would be lost between the nodes.
    await this.#fetches.get(pid);
    const session = table.get(pid);
    if (session === undefined || session.fence >= fence) return undefined;
    if (session.wid !== undefined) await this.#letGo(session);
    return table.get(pid) === session ? session : undefined;
  }

  /** What its former node had for the client alone reaches it behind what it has had meanwhile, or waits for it. See LocalSessions. */
  async releasedLate({ pid, unicasts = [] }: SessionRecord, fence: number): Promise<void> {
    const { table, late, deliver } = this.#options;
    await this.#fetches.get(pid);
    const session = table.get(pid);
    if (session?.fence !== fence) return;
    const { id } = session;
    for (const logged of unicasts) {
      if (late.receivers(logged).includes(id)) continue;
      const { nsp, bin, argsBytes, body } = logged;
      const event = argsBytes === undefined ? undefined : { bytes: argsBytes, except: [], flags: {} };
      deliver({ nsp, type: MessageType.BROADCAST, bin, rooms: [id], to: "members", event, logged }, body);
    }
  }

  /** Others that ask for the same session meanwhile take the attempt's place. */
  #whenFree(attempt: Attempt, free: Promise<void>): void {
    const waiting = { attempt };
    this.#waiting.set(attempt.pid, waiting);
    void free.then(() => {
      this.#waiting.delete(attempt.pid);
      const session = this.#options.table.get(attempt.pid);
      if (session === undefined) this.#refuse(waiting.attempt, this.#options.table.endingOf(attempt.pid) ?? "unknown");
      else this.#grant(waiting.attempt, session);
    });
  }

  /** From the fleet, where that may know of it. */
  #fetch(attempt: Attempt): void {
    const { table, fleet } = this.#options;
    const ending = table.endingOf(attempt.pid);
    const sessions = fleet();
    // What this node has forgotten another may have.
    if (ending === "ended" || sessions === undefined) {
      this.#refuse(attempt, ending ?? "unknown");
      return;
    }
    const waiting = { attempt };
    this.#waiting.set(attempt.pid, waiting);
    const fetch = this.#take(waiting, sessions).finally(() => {
      this.#waiting.delete(attempt.pid);
      this.#fetches.delete(attempt.pid);
    });
    this.#fetches.set(attempt.pid, fetch);
  }

  async #take(waiting: { readonly attempt: Attempt }, fleet: FleetSessions): Promise<void> {
    const { nsp, pid, offset } = waiting.attempt;
    const { tag, table, log, late, now } = this.#options;
    const taken = await fleet.take(nsp, pid);
    if ("failure" in taken) {
      const isUnknown = taken.failure === "unknown";
      this.#refuse(waiting.attempt, (isUnknown ? table.endingOf(pid) : undefined) ?? taken.failure);
      return;
    }
    const { record } = taken;
    const claims = [offset, record.life, ...record.former].filter((claim) => claim !== undefined);
    late.adopt(
      record.id,
      nsp,
      claims.filter((claim) => claim.tag !== tag),
      now(),
    );
    const unicastsAfter = log.pos;
    for (const unicast of record.unicasts ?? []) {
      const isReceived = claims.some((claim) => received(unicast, claim, tag));
      if (!isReceived) log.append(unicast, adoptedBy(tag), now());
    }
    const session = table.adopt(record, unicastsAfter, now());
    if (session === undefined) {
      this.#refuse(waiting.attempt, "evicted");
      return;
    }
    const after = [...claims, record.since].map(({ streamId }) => streamId).reduce(laterStreamId);
    const isTrimmed = after !== undefined && this.#missed(waiting.attempt, session) === "trimmed";
    const history = isTrimmed ? await fleet.history(nsp, after) : undefined;
    if (typeof history === "string") this.#giveUp(waiting.attempt, session, history);
    else this.#grant(waiting.attempt, session, history);
  }

  #grant(attempt: Attempt, session: Session, history?: readonly LogEntry[]): void {
    const { table, now, holder, anticipate, fleet, onOutcome } = this.#options;
    const { asker, id, nsp } = attempt;
    if (session.nsp !== nsp) {
      this.#refuse(attempt, "namespace");
      return;
    }
    if (holder(asker.wid) !== asker) {
      // It has ended, and its client comes back once more.
      if (session.wid !== undefined) table.left(session, now());
      onOutcome("superseded");
      return;
    }
    const missed = this.#missed(attempt, session, history);
    if (typeof missed === "string") {
      this.#giveUp(attempt, session, missed);
      return;
    }
    table.grant(session, asker.wid);
    if (attempt.offset !== undefined) table.setFormer(session, attempt.offset);
    const rooms = [...session.rooms.keys()];
    let ends = this.#anticipated.get(asker.wid);
    if (ends === undefined) this.#anticipated.set(asker.wid, (ends = new Map<number, () => void>()));
    ends.set(id, anticipate(asker.wid, nsp, rooms));
    asker.send(
      { t: "restored", id, outcome: "recovered", session: this.#restored(session, rooms, missed, asker.wid) },
      Buffer.concat([session.data, ...missed.map(({ entry }) => entry.body)]),
    );
    onOutcome("recovered");
    fleet()?.save(recordOf(session));
  }

  #missed({ offset }: Attempt, session: Session, history?: readonly LogEntry[]): ReturnType<typeof missedBy> {
    const { tag, log, maxMissedBytes: maxBytes } = this.#options;
    const record = recordOf(session);
    const { unicastsAfter } = session;
    return missedBy({
      tag,
      log,
      session: record,
      unicastsAfter,
      offset,
      maxBytes,
      ...(history && { history }),
    });
  }

  #restored(
    { id, generation, data }: Session,
    rooms: readonly string[],
    missed: readonly MissedEntry[],
    wid: number,
  ): RestoredSession {
    const { log, lastSeq } = this.#options;
    return {
      id,
      generation,
      rooms,
      dataBytes: data.length,
      missed: missed.map(({ entry: { body, bin, argsBytes }, claim }) => ({
        bytes: body.length,
        bin,
        ...(argsBytes !== undefined && { args: argsBytes }),
        claim: encodeClaim(claim),
      })),
      pos: log.pos,
      ...(log.streamId !== undefined && { streamId: log.streamId }),
      seq: lastSeq(wid),
    };
  }

  /** The client starts anew, so nobody comes back to the session. */
  #giveUp(attempt: Attempt, session: Session, outcome: RecoveryOutcome): void {
    this.#options.table.end(session, "ended");
    this.#options.fleet()?.end(session.pid);
    this.#refuse(attempt, outcome);
  }

  #refuse({ asker, id }: Attempt, outcome: RecoveryOutcome): void {
    asker.send({ t: "restored", id, outcome });
    this.#options.onOutcome(outcome);
  }
}
