/**
 * Recovery on this node: the log of what clients can be given later, the table of their sessions, and how a client gets both back. All of it lives here in
 * the primary, so it outlives every worker: one that ends, drains or is replaced.
 */
import type { StreamLog } from "../bus/local-side.js";
import type { Interest, Publish } from "../link/messages.js";
import type { RecoveryUp, Unicast } from "../link/recovery-messages.js";
import { adoptedBy, received } from "../recovery/claim.js";
import type { FleetSessions, LocalSessions } from "../recovery/fleet-sessions.js";
import type { LogEntry, LoggedEvent } from "../recovery/log-entry.js";
import { LateEntries } from "../recovery/late-entries.js";
import { RoomLog } from "../recovery/room-log.js";
import type { SessionRecord } from "../recovery/session-record.js";
import { recordOf, SessionTable, type Session } from "../recovery/session-table.js";
import type { HubLog } from "./hub-parts.js";
import { Restores, type RestoresOptions, type SessionHolder } from "./restores.js";
import { SessionChanges } from "./session-changes.js";

export interface RecoveryBounds {
  /** Sessions, connected and away. */
  readonly maxSessions: number;
  readonly maxSessionBytes: number;
  readonly maxLogBytes: number;
  /** What one client may be given at once. */
  readonly maxMissedBytes: number;
}

export interface RecoveryOptions extends Pick<
  RestoresOptions,
  "tag" | "anticipate" | "deliver" | "releaseTimeoutMs" | "now" | "onOutcome"
> {
  readonly bounds: RecoveryBounds;
  /** How long a session may be away. */
  readonly keepMs: number;
  /** How long a client may take to notice that its connection is lost, beyond `keepMs`: for so long the log is kept. */
  readonly noticeMs: number;
  readonly onRefused: (reason: "late" | "bounds") => void;
}

export interface RecoveryState {
  readonly connected: number;
  readonly away: number;
  readonly sessionBytes: number;
  readonly logEntries: number;
  readonly logBytes: number;
}

const TICK_MS = 1_000;
/** For clocks that differ, and for ends that are told late. */
const SLACK_MS = 10_000;
/** Connected sessions are mentioned to the fleet so often in the time that it keeps them. */
const TOUCHES = 4;

export class Recovery implements HubLog, StreamLog, LocalSessions {
  readonly #options: RecoveryOptions;
  readonly #log: RoomLog;
  readonly #table: SessionTable;
  readonly #changes: SessionChanges;
  readonly #restores: Restores;
  readonly #late = new LateEntries();
  readonly #holders = new Map<number, SessionHolder>();
  /** The last publication of each worker in the log. */
  readonly #seqs = new Map<number, number>();
  #fleet: FleetSessions | undefined;
  #ticker: NodeJS.Timeout | undefined;
  /** What the workers were told last. */
  #told: { readonly pos: number; readonly streamId: string | undefined } = { pos: 0, streamId: undefined };
  #touchedAtMs: number;

  constructor(options: RecoveryOptions) {
    const { bounds, keepMs, noticeMs, now, onRefused } = options;
    this.#options = options;
    this.#touchedAtMs = now();
    this.#log = new RoomLog({ retentionMs: keepMs + noticeMs + SLACK_MS, maxBytes: bounds.maxLogBytes });
    this.#table = new SessionTable({ maxCount: bounds.maxSessions, maxBytes: bounds.maxSessionBytes, keepMs });
    const fleet = (): FleetSessions | undefined => this.#fleet;
    this.#changes = new SessionChanges({
      table: this.#table,
      position: () => ({ pos: this.#log.pos, streamId: this.#log.streamId }),
      fleet,
      keepMs,
      now,
      onRefused,
    });
    this.#restores = new Restores({
      ...options,
      table: this.#table,
      log: this.#log,
      late: this.#late,
      fleet,
      holder: (wid) => this.#holders.get(wid),
      lastSeq: (wid) => this.#seqs.get(wid) ?? 0,
      maxMissedBytes: bounds.maxMissedBytes,
    });
  }

  /** The sessions of other nodes; before the first worker is added. */
  join(fleet: FleetSessions): void {
    this.#fleet = fleet;
  }

  add(holder: SessionHolder): void {
    this.#holders.set(holder.wid, holder);
  }

  start(): void {
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Call when all workers have ended: what their clients take up elsewhere is handed to the fleet, what was sent to them alone with it. */
  stop(): void {
    clearInterval(this.#ticker);
    if (this.#fleet === undefined) return;
    for (const session of this.#table.all()) {
      const remainingMs = this.#table.remainingMs(session, this.#options.now());
      if (remainingMs !== undefined) this.#fleet.left(this.#finalRecord(session), Math.max(1, remainingMs));
    }
  }

  get state(): RecoveryState {
    return {
      connected: this.#table.connectedCount,
      away: this.#table.awayCount,
      sessionBytes: this.#table.bytes,
      logEntries: this.#log.entryCount,
      logBytes: this.#log.bytes,
    };
  }

  get streamFloor(): string | undefined {
    return this.#log.streamFloor;
  }

  *records(): Iterable<SessionRecord> {
    for (const session of this.#table.all()) yield recordOf(session);
  }

  get position(): { readonly pos: number; readonly streamId?: string } {
    const { pos, streamId } = this.#log;
    return streamId === undefined ? { pos } : { pos, streamId };
  }

  published(wid: number, { nsp, rooms, bin, event, except = [], seq = 0 }: Publish, body: Buffer): number {
    const message = { nsp, rooms, except: event?.except ?? except, bin, argsBytes: event?.bytes, body };
    return this.#append(wid, seq, { ...message, streamId: undefined, unicast: false });
  }

  unicast(wid: number, { nsp, id, bin, args, seq }: Unicast, body: Buffer): void {
    const message = { nsp, rooms: [id], except: [], bin, argsBytes: args, body };
    this.#append(wid, seq, { ...message, streamId: undefined, unicast: true });
  }

  logged(event: LoggedEvent): number {
    const { tag, now } = this.#options;
    return this.#log.append(event, event.unicast ? adoptedBy(tag) : event.origin, now()).pos;
  }

  placed(pos: number, streamId: string): void {
    this.#log.shown(pos, streamId);
  }

  reached(streamId: string): void {
    this.#log.reached(streamId);
  }

  /** Call before the hub is told of the same batch. */
  onInterest(wid: number, message: Interest, body: Buffer): void {
    this.#changes.onInterest(wid, message, body);
  }

  onMessage(holder: SessionHolder, message: RecoveryUp, body: Buffer): void {
    switch (message.t) {
      case "unicast":
        this.unicast(holder.wid, message, body);
        break;
      case "restore":
        this.#restores.restore(holder, message);
        break;
      case "resumed":
        this.#restores.resumed(holder.wid, message.id);
        break;
      case "released":
        this.#restores.released(holder.wid, message.id);
        break;
      case "checkpoint":
        void this.#checkpoint(holder, message);
        break;
    }
  }

  /** Call after everything the worker sent was passed on. */
  remove({ wid }: SessionHolder): void {
    this.#holders.delete(wid);
    this.#changes.workerGone(wid);
    this.#restores.workerGone(wid);
    this.#seqs.delete(wid);
  }

  async release(pid: string, generation: number): Promise<SessionRecord | undefined> {
    const session = await this.#restores.free(pid, generation);
    if (session === undefined) return undefined;
    this.#table.remove(session);
    return this.#finalRecord(session);
  }

  releasedLate(record: SessionRecord, generation: number): void {
    void this.#restores.releasedLate(record, generation);
  }

  receivers(event: LoggedEvent): readonly string[] {
    return this.#late.receivers(event);
  }

  /** With what was sent to its client alone, as far as that may not have arrived. */
  #finalRecord(session: Session): SessionRecord {
    const { nsp, id, since, life, unicastsAfter } = session;
    const { tag } = this.#options;
    const unicasts: LogEntry[] = [];
    for (const entry of this.#log.behind(nsp, id, Math.max(unicastsAfter, since.tag === tag ? since.pos : 0)))
      if (entry.unicast && (life === undefined || !received(entry, life, tag))) unicasts.push(entry);
    return { ...recordOf(session), unicasts };
  }

  #append(wid: number, seq: number, message: Omit<LogEntry, "origin" | "pos" | "atMs">): number {
    const { tag, now } = this.#options;
    this.#seqs.set(wid, seq);
    return this.#log.append(message, (pos) => ({ tag, pos, wid, seq }), now()).pos;
  }

  async #checkpoint(
    holder: SessionHolder,
    { id, pid, generation }: Extract<RecoveryUp, { t: "checkpoint" }>,
  ): Promise<void> {
    const session = this.#table.held(holder.wid, pid, generation);
    let failed = session === undefined;
    try {
      if (session !== undefined) await this.#fleet?.saveNow(recordOf(session));
    } catch {
      // Counted and logged where it failed; the app is told.
      failed = true;
    }
    holder.send({ t: "checkpointed", id, failed });
  }

  #tick(): void {
    const { now, keepMs } = this.#options;
    this.#table.expire(now());
    this.#log.trim(now());
    this.#late.forget(now() - keepMs);
    const { pos, streamId } = this.#log;
    if (pos !== this.#told.pos || streamId !== this.#told.streamId) {
      this.#told = { pos, streamId };
      for (const holder of this.#holders.values()) holder.send({ t: "position", ...this.position });
    }
    if (this.#fleet !== undefined && now() - this.#touchedAtMs >= keepMs / TOUCHES) {
      this.#touchedAtMs = now();
      this.#fleet.touch([...this.#table.connected()].map(({ pid }) => pid));
    }
  }
}
