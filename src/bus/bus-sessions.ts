/**
 * Sessions between nodes: kept in Redis for the case that their node ends, taken over from there, and given up to whoever takes them. What is said here costs
 * the node's own clients nothing: nobody waits for it.
 */
import type { RedisConnection } from "../lib/redis.js";
import { toError } from "../lib/to-error.js";
import type { LogEntry } from "../recovery/log-entry.js";
import type { FleetSessions, LocalSessions, TakenSession } from "../recovery/fleet-sessions.js";
import type { SessionRecord } from "../recovery/session-record.js";
import { Barrier } from "./barrier.js";
import type { Channels } from "./channels.js";
import { NODE_SPACE, NodeWords } from "./node-words.js";
import { HandedOn } from "./handed-on.js";
import { encodeRecord } from "./session-codec.js";
import { RELEASE, RELEASED, SessionReleases } from "./session-releases.js";
import { SessionStore, type SessionWrite, type StoreOutcome } from "./session-store.js";
import { SessionTake } from "./session-take.js";
import { StreamHistory } from "./stream-history.js";

export interface BusSessionsOptions {
  readonly local: LocalSessions;
  /** How long a session of a node that has ended without a word is kept after it was last written. */
  readonly keptMs: number;
  /** How long a node may wait for the worker that has the session. */
  readonly releaseTimeoutMs: number;
  readonly maxSessions: number;
  /** Of what is read of the stream for those who come back. */
  readonly maxHistoryBytes: number;
  readonly onOutcome: (outcome: StoreOutcome) => void;
  /** Whether that node is known to have ended. */
  readonly isGone: (uid: string) => boolean;
}

/** The bus, as sessions see it. */
export interface SessionBus {
  readonly redis: RedisConnection;
  readonly uid: string;
  readonly stream: string;
  readonly keyPrefix: string;
  readonly channels: Pick<Channels, "open" | "servers" | "privateName">;
  readonly isUp: () => boolean;
  /** Number of this node's last entry. */
  readonly lastOwn: () => number;
  /** Number of the last entry that was read of another node. */
  readonly lastOf: (uid: string) => number;
  /** When that was; -Infinity where none was. */
  readonly seenAtMs: (uid: string) => number;
  /** Id of the last entry that was read. */
  readonly position: () => string | undefined;
  readonly onSkipped: (id: string, error: unknown) => void;
  readonly onFailure: (error: Error) => void;
  readonly now: () => number;
}

/** Beyond the time that the owner may wait for its worker. */
const ANSWER_MS = 500;

export class BusSessions implements FleetSessions {
  readonly #options: BusSessionsOptions;
  readonly #bus: SessionBus;
  readonly #store: SessionStore;
  readonly #barrier: Barrier;
  readonly #words: NodeWords;
  readonly #releases: SessionReleases;
  readonly #take: SessionTake;
  readonly #history: StreamHistory;

  constructor(options: BusSessionsOptions, bus: SessionBus) {
    const { local, maxSessions, onOutcome, isGone, keptMs, releaseTimeoutMs, maxHistoryBytes } = options;
    const { redis, uid, stream, keyPrefix, channels, now } = bus;
    this.#options = options;
    this.#bus = bus;
    const onFailure = (error: unknown): void => bus.onFailure(toError(error));
    const handedOn = new HandedOn(async (pid, generation) => {
      const record = await local.release(pid, generation);
      if (record !== undefined) this.#store.forget(pid);
      return record;
    }, now);
    this.#store = new SessionStore({
      redis,
      keyPrefix,
      uid,
      maxWaiting: maxSessions,
      onOutcome,
      onRefused: (pid, generation) => {
        // It was taken: its socket here is a left-over. Whoever took it asks for its last state, unless this node could not be asked.
        handedOn.release(pid, generation + 1).catch(onFailure);
      },
      onFailure,
      now,
    });
    this.#barrier = new Barrier({ position: bus.position, lastOf: bus.lastOf });
    this.#words = new NodeWords({
      uid,
      publish: (to, message) => redis.call("PUBLISH", channels.privateName(NODE_SPACE, to), message),
      onFailure,
    });
    this.#releases = new SessionReleases({
      say: (to, type, item, bytes) => this.#words.say(to, type, item, bytes),
      isHeard: async (one) => (await channels.servers(NODE_SPACE, [one])).alive.has(one),
      release: (pid, generation) => handedOn.release(pid, generation),
      position: () => ({ n: bus.lastOwn(), streamId: bus.position() }),
      onLate: (record, generation) => local.releasedLate(record, generation),
      onFailure,
      seenAtMs: bus.seenAtMs,
      timeoutMs: releaseTimeoutMs + ANSWER_MS,
      now,
    });
    this.#take = new SessionTake({
      redis,
      stream,
      uid,
      key: (pid) => this.#store.key(pid),
      ttlMs: keptMs,
      isUp: bus.isUp,
      isGone,
      release: (owner, pid, generation) => this.#releases.ask(owner, pid, generation),
      reached: (mark, timeoutMs) => this.#barrier.reached(mark, timeoutMs),
      onFailure,
    });
    this.#history = new StreamHistory({
      redis,
      stream,
      maxBytes: maxHistoryBytes,
      onSkipped: bus.onSkipped,
      now,
    });
    channels.open(NODE_SPACE);
  }

  save(record: SessionRecord): void {
    this.#store.put(record.pid, this.#write(record, this.#options.keptMs));
  }

  saveNow(record: SessionRecord): Promise<void> {
    return this.#store.putNow(record.pid, this.#write(record, this.#options.keptMs));
  }

  touch(pids: readonly string[]): void {
    for (const pid of pids) this.#store.put(pid, { kind: "touch", ttlMs: this.#options.keptMs });
  }

  left(record: SessionRecord, ttlMs: number): void {
    this.#store.put(record.pid, this.#write(record, ttlMs));
  }

  end(pid: string): void {
    this.#store.put(pid, { kind: "end", rememberMs: this.#options.keptMs });
  }

  take(nsp: string, pid: string): Promise<TakenSession> {
    return this.#take.take(nsp, pid);
  }

  async history(nsp: string, after: string): Promise<readonly LogEntry[] | "trimmed" | "bus_down"> {
    const upTo = this.#options.local.streamFloor;
    if (upTo === undefined || !this.#bus.isUp()) return "bus_down";
    try {
      return await this.#history.read(nsp, after, upTo);
    } catch (error) {
      this.#bus.onFailure(toError(error));
      return "bus_down";
    }
  }

  /** A word of another node. @throws Error where it cannot be read */
  onWord(uid: string, type: number, data: unknown): void {
    const { items } = data as { items?: unknown };
    if (!Array.isArray(items)) throw new Error("a word of another node without items");
    for (const item of items as unknown[]) {
      if (type === RELEASE) this.#releases.onRelease(uid, item);
      else if (type === RELEASED) this.#releases.onReleased(uid, item);
      else throw new Error(`a word of another node of an unknown type ${type}`);
    }
  }

  /** Something of the stream was read. */
  read(): void {
    this.#barrier.check();
  }

  /** Redis can be written to, at first or again. */
  wake(): void {
    this.#store.wake();
  }

  /** Redis may have lost what it knew: all is written anew. */
  restoreAll(): void {
    for (const record of this.#options.local.records()) this.save(record);
  }

  /** Writes what waits, as far as Redis takes it within the time. */
  async stop(timeoutMs: number): Promise<void> {
    this.#barrier.stop();
    this.#releases.stop();
    this.#history.stop();
    await this.#store.drained(timeoutMs);
  }

  #write(record: SessionRecord, ttlMs: number): SessionWrite {
    const { generation, nsp } = record;
    return { kind: "save", generation, nsp, encode: () => encodeRecord(record), ttlMs };
  }
}
