/** The sessions that are connected to this worker: what changes of them is told to the primary, which keeps them for when they come back. */
import type { SessionChange, Stamp } from "../../link/recovery-messages.js";
import { ConnectionWatch } from "./connection-watch.js";
import type { ClaimClock } from "./claim-clock.js";
import type { LiveSession } from "./live-session.js";
import { toBytes } from "./session-data.js";

export interface SessionsOptions {
  readonly clock: ClaimClock;
  readonly report: (change: SessionChange, data?: Buffer) => void;
  /** Whether something that was sent to that connection waits. @param sid of Engine.IO */
  readonly isHeld: (sid: string) => boolean;
  /** Number of the interest message that tells the hub of the room, or without one of the namespace's first socket; 0: it knows. */
  readonly unknownBatch: (nsp: string, room?: string) => number;
  readonly maxDataBytes: number;
  /** Its data stays as it was kept last. @param isFirst for this session */
  readonly onUnkept: (session: LiveSession, error: unknown, isFirst: boolean) => void;
}

/** So much of changed data is read in one go at most; the rest has its turn a second later. */
const MAX_SWEEP_BYTES = 4 * 1024 * 1024;

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #watch: ConnectionWatch;
  readonly #byPid = new Map<string, LiveSession>();
  #marked: LiveSession[] = [];
  #alive: LiveSession[] = [];

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#watch = new ConnectionWatch({
      claim: () => options.clock.text,
      isHeld: options.isHeld,
      onPacket: (session) => this.mark(session),
      onAlive: (session, claim) => {
        if (session.life === undefined) this.#alive.push(session);
        session.life = claim;
      },
    });
  }

  get(pid: string): LiveSession | undefined {
    return this.#byPid.get(pid);
  }

  /** A new session. @param rooms it is in, its own among them */
  open(session: LiveSession, rooms: Iterable<string>): void {
    this.#add(session);
    try {
      session.data = toBytes(session.socket.data, this.#options.maxDataBytes);
    } catch (error) {
      this.#complain(session, error);
    }
    const { nsp, pid, id, data } = session;
    const joined = [...rooms].map((room) => [room, this.#stamp(nsp, room)] as const);
    this.#options.report(["open", nsp, pid, id, this.#stamp(nsp), joined, data.length], data);
  }

  /** One that has come back, and is in its rooms. */
  resume(session: LiveSession): void {
    this.#add(session);
    // The middlewares have had its data in their hands.
    this.mark(session);
  }

  join({ nsp, pid, generation }: Pick<LiveSession, "nsp" | "pid" | "generation">, rooms: readonly string[]): void {
    for (const room of rooms) this.#options.report(["join", pid, generation, room, this.#stamp(nsp, room)]);
  }

  leave({ pid, generation }: Pick<LiveSession, "pid" | "generation">, room: string): void {
    this.#options.report(["leave", pid, generation, room]);
  }

  /** Disconnected, and may come back. */
  left(session: LiveSession): void {
    const { pid, generation } = session;
    this.forget(session);
    this.#options.report(["left", pid, generation]);
  }

  /** Over for good. */
  end(session: LiveSession): void {
    this.#delete(session);
    this.#options.report(["end", session.pid, session.generation]);
  }

  /** It goes elsewhere: its last state is reported, and nothing from here on. */
  forget(session: LiveSession): void {
    this.#reportLife(session);
    this.#checkpointQuietly(session);
    this.#delete(session);
  }

  /** Its data may have changed. */
  mark(session: LiveSession): void {
    if (session.isMarked) return;
    session.isMarked = true;
    this.#marked.push(session);
  }

  /**
   * Reports its data where that has changed.
   * @returns the length of the data in bytes
   * @throws TooLargeError, or what serialising it threw
   */
  checkpoint(session: LiveSession): number {
    session.isMarked = false;
    const data = toBytes(session.socket.data, this.#options.maxDataBytes);
    if (!data.equals(session.data)) {
      session.data = data;
      this.#options.report(["data", session.pid, session.generation, data.length], data);
    }
    return data.length;
  }

  /** Reports what has changed since the last time. */
  sweep(): void {
    const alive = this.#alive;
    this.#alive = [];
    for (const session of alive) if (this.#isLive(session)) this.#reportLife(session);
    const marked = this.#marked;
    this.#marked = [];
    let bytes = 0;
    for (const session of marked) {
      if (!session.isMarked || !this.#isLive(session)) continue;
      if (bytes < MAX_SWEEP_BYTES) bytes += this.#checkpointQuietly(session);
      else this.#marked.push(session);
    }
  }

  #add(session: LiveSession): void {
    this.#byPid.set(session.pid, session);
    this.#watch.add(session);
  }

  #delete(session: LiveSession): void {
    if (this.#isLive(session)) this.#byPid.delete(session.pid);
    this.#watch.delete(session);
    session.forget();
  }

  #isLive(session: LiveSession): boolean {
    return this.#byPid.get(session.pid) === session;
  }

  #reportLife(session: LiveSession): void {
    const { pid, generation, life } = session;
    if (life === undefined) return;
    session.life = undefined;
    this.#options.report(["life", pid, generation, life]);
  }

  #checkpointQuietly(session: LiveSession): number {
    try {
      return this.checkpoint(session);
    } catch (error) {
      this.#complain(session, error);
      return this.#options.maxDataBytes;
    }
  }

  #complain(session: LiveSession, error: unknown): void {
    this.#options.onUnkept(session, error, !session.hasComplained);
    session.hasComplained = true;
  }

  #stamp(nsp: string, room?: string): Stamp {
    return [this.#options.clock.text, this.#options.unknownBatch(nsp, room)];
  }
}
