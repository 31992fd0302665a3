/**
 * Recovery, as one worker takes part in it: the claims behind its events, the sessions it tells the primary of, those it is given back. Without it, none
 * of this is made.
 */
import type { RecoveryDown } from "../../link/recovery-messages.js";
import type { HubPort, PortRecovery } from "../hub-port.js";
import type { RecoverableSocket } from "../internals.js";
import type { JoinGate } from "../join-gate.js";
import { Questions } from "../questions.js";
import type { Arrival } from "./arrival.js";
import { ClaimClock } from "./claim-clock.js";
import type { LiveSession } from "./live-session.js";
import { Restoring } from "./restoring.js";
import { ChangeReport, type ChangeBatch } from "./change-report.js";
import { Sessions } from "./sessions.js";

export interface RecoveryOptions {
  /** Of the primary's life. */
  readonly tag: string;
  readonly wid: number;
  readonly port: HubPort;
  readonly gate: JoinGate;
  /** Largest `socket.data` that is kept. */
  readonly maxDataBytes: number;
  /** Bytes that may be kept for one client that comes back, until it is connected. */
  readonly maxKeptBytes: number;
  /** A session's data stays as it was kept last. @param isFirst for this session */
  readonly onUnkept: (session: LiveSession, error: unknown, isFirst: boolean) => void;
}

const SWEEP_MS = 1_000;
/** What waits for the primary beyond this waits for the primary: no data is added to it. */
const SWEEP_BELOW_QUEUED_BYTES = 8 * 1024 * 1024;

/** Why a socket whose session went elsewhere was disconnected, as its `disconnect` listeners are told. */
export const RECOVERED_ELSEWHERE = "recovered elsewhere";

export class Recovery implements PortRecovery {
  readonly clock: ClaimClock;
  readonly sessions: Sessions;
  readonly restoring: Restoring;
  readonly maxKeptBytes: number;
  readonly #port: HubPort;
  readonly #report: ChangeReport;
  /** Answered with whether it failed. */
  readonly #checkpoints = new Questions<boolean>();

  constructor({ tag, wid, port, gate, maxDataBytes, maxKeptBytes, onUnkept }: RecoveryOptions) {
    this.#port = port;
    this.maxKeptBytes = maxKeptBytes;
    this.#report = new ChangeReport(() => port.scheduleReport());
    this.clock = new ClaimClock(tag, wid);
    this.sessions = new Sessions({
      clock: this.clock,
      report: (change, data) => this.#report.add(change, data),
      isHeld: (sid) => gate.isHeld(sid),
      unknownBatch: (nsp, room) => port.unknownBatch(nsp, room),
      maxDataBytes,
      onUnkept,
    });
    this.restoring = new Restoring({
      clock: this.clock,
      tell: (message) => port.tell(message),
      report: (change) => this.#report.add(change),
      maxKeptBytes,
    });
    const timer = setInterval(() => {
      if (port.queueBytes < SWEEP_BELOW_QUEUED_BYTES) this.sessions.sweep();
    }, SWEEP_MS);
    timer.unref();
    port.recovery = this;
  }

  advance(pos: number, streamId: string | undefined): void {
    this.clock.advance(pos, streamId);
  }

  takeChanges(): ChangeBatch | undefined {
    return this.#report.take();
  }

  onMessage(message: RecoveryDown, body: Buffer): void {
    switch (message.t) {
      case "restored":
        this.restoring.onRestored(message, body);
        break;
      case "release":
        this.#release(message.pid, message.generation);
        this.#port.tell({ t: "released", id: message.id });
        break;
      case "checkpointed":
        this.#checkpoints.answer(message.id, message.failed);
        break;
      case "position":
        this.clock.advance(message.pos, message.streamId);
        break;
    }
  }

  /**
   * @returns once the primary, and with Redis the fleet, has the socket's rooms and data as they are now
   * @throws Error where it is not connected, its data cannot be kept, or Redis did not take it
   */
  async checkpoint(socket: RecoverableSocket): Promise<void> {
    const session = this.sessions.get(socket.pid);
    if (session?.socket !== socket) throw new Error("this socket has no session that could come back");
    this.sessions.checkpoint(session);
    const { pid, generation } = session;
    const failed = await this.#checkpoints.ask((id) => this.#port.tell({ t: "checkpoint", id, pid, generation }));
    if (failed) throw new Error("Redis did not take the session: only this node has it");
  }

  /** A connection that a session was to come back on will not have it. @param isOver the session is over for good */
  giveUp(arrival: Arrival, isOver: boolean): void {
    const { pid, generation } = arrival;
    if (!arrival.isSuperseded) this.#report.add([isOver ? "end" : "left", pid, generation]);
    this.restoring.resumed(arrival);
  }

  /** Nothing is sent, and nothing reported any more; the app hears of it by `disconnect`. */
  supersede(socket: RecoverableSocket): void {
    const session = this.sessions.get(socket.pid);
    if (session?.socket === socket) this.sessions.forget(session);
    socket._onclose(RECOVERED_ELSEWHERE);
    const { conn, sockets } = socket.client;
    if (sockets.size === 0) conn.close(true);
  }

  #release(pid: string, generation: number): void {
    const session = this.sessions.get(pid);
    if (session?.generation === generation) this.supersede(session.socket);
    const arrival = this.restoring.arrivalOf(pid);
    if (arrival?.generation === generation) arrival.supersede();
  }
}
