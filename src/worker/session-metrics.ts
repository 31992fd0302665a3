/** Turns what {@link SessionWatch} sees into limpet's metrics. */
import { closeReasonOf, handshakeErrorOf, type WorkerMetrics } from "../telemetry/worker-metrics.js";
import type { SessionCounters } from "./session-watch.js";

/** The share of pingTimeout by which the event loop must have been late for a missing pong to be this worker's own fault. */
const LATE_SHARE = 0.25;
/** Longest and shortest time between two looks at a quiet event loop. */
const MAX_LOOK_MS = 500;
const MIN_LOOK_MS = 250;

/** How often to look at a quiet event loop: a stall of a pingTimeout is to show as a lag of three quarters of that. In ms. */
export const lagIntervalOf = (pingTimeoutMs: number): number =>
  Math.min(MAX_LOOK_MS, Math.max(MIN_LOOK_MS, pingTimeoutMs * LATE_SHARE));

export class SessionMetrics implements SessionCounters {
  readonly #metrics: WorkerMetrics;
  readonly #pingTimeoutMs: number;

  constructor(metrics: WorkerMetrics, { pingTimeout }: { readonly pingTimeout: number }) {
    this.#metrics = metrics;
    this.#pingTimeoutMs = pingTimeout;
  }

  opened(): void {
    this.#metrics.sessionsOpened.inc();
  }

  closed(reason: string): void {
    this.#metrics.sessionsClosed.inc({ reason: closeReasonOf(reason) });
    if (reason !== "ping timeout") return;
    this.#metrics.pingTimeouts.inc({ cause: this.wasStalled() ? "server_late" : "client_gone" });
  }

  /** Whether the event loop stood still so long, within a pingTimeout, that a missing pong may be this worker's own fault. */
  wasStalled(): boolean {
    return this.#metrics.loopLag.recentMaxMs(this.#pingTimeoutMs) > this.#pingTimeoutMs * LATE_SHARE;
  }

  upgraded(outcome: "completed" | "failed"): void {
    this.#metrics.upgrades.inc({ outcome });
  }

  handshakeError(code: number): void {
    this.#metrics.handshakeErrors.inc({ code: handshakeErrorOf(code) });
  }

  received(bytes: number): void {
    this.#metrics.tally.messagesReceived++;
    this.#metrics.tally.bytesReceived += bytes;
  }

  sent(bytes: number): void {
    this.#metrics.tally.messagesSent++;
    this.#metrics.tally.bytesSent += bytes;
  }

  tooLong(): void {
    this.#metrics.clientRefusals.inc({ reason: "message_too_long" });
  }
}
