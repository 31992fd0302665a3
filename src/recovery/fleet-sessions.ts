/** Sessions between nodes: what the recovery of one node needs of the fleet, and what the fleet asks of it. */
import type { LogEntry } from "./log-entry.js";
import type { RecoveryOutcome } from "../telemetry/recovery-outcome.js";
import type { SessionRecord } from "./session-record.js";

export type TakeFailure = Extract<RecoveryOutcome, "unknown" | "namespace" | "bus_down">;

/** What a node's recovery needs of the fleet; there is none without Redis. */
export interface FleetSessions {
  /** Remembers; batched, at most once a second per session, the last state wins. Never throws. */
  save(record: SessionRecord): void;
  /** The same, now. @returns once Redis has it; rejects where it does not take it */
  saveNow(record: SessionRecord): Promise<void>;
  /** These sessions are connected still. */
  touch(pids: readonly string[]): void;
  /** Disconnected: it expires in so many milliseconds. */
  left(record: SessionRecord, ttlMs: number): void;
  /** Over for good. */
  end(pid: string): void;
  /**
   * Takes a session over from another node: fenced in Redis, released by its owner where that lives and answers; what the owner delivered is in this
   * node's log. Never rejects.
   */
  take(nsp: string, pid: string): Promise<TakenSession>;
  /** Entries of the stream behind that id which this node's log does not hold, oldest first. Never rejects. */
  history(nsp: string, after: string): Promise<readonly LogEntry[] | "trimmed" | "bus_down">;
}

export type TakenSession = { readonly record: SessionRecord } | { readonly failure: TakeFailure };

/** What the fleet asks of this node. */
export interface LocalSessions {
  /**
   * Another node takes the session. Its socket here, if there is one, ends without a word to the client.
   *
   * @param generation the one that it has there; what is written here with an older one is refused from now on
   * @returns the session as it was at the last, with its unicasts; undefined: not known here
   */
  release(pid: string, generation: number): Promise<SessionRecord | undefined>;
  /**
   * A session was taken here without the word of its owner, and that comes now.
   *
   * @param record the session as it was there at the last, with its unicasts
   * @param generation that it was taken with; where it has gone on since, nothing is done
   */
  releasedLate(record: SessionRecord, generation: number): void;
  /** The node's log holds everything of the stream behind this id; undefined before anything of the stream was read. */
  readonly streamFloor: string | undefined;
  /** All that are kept here: written anew where Redis may have lost what it knew. */
  records(): Iterable<SessionRecord>;
}
