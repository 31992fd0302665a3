/**
 * What waits for each client, and the end of those for whom too much does.
 *
 * Counted is what Engine.IO keeps because the transport cannot be written to, with what the transport itself still holds. While it can be written to
 * nothing waits, and nothing is counted: that is the state of nearly every client nearly always. A message, and all that was handed to the transport
 * together, counts for two fifths of the limit at most, so a message longer than the limit reaches a client that reads.
 */
import type { Socket, Transport } from "engine.io";
import type { SlowConsumerCause } from "../telemetry/worker-metrics.js";
import type { CondemnableInternals, WebSocketInternals } from "./internals.js";
import type { UnreadAnswers } from "./unread-answers.js";

/** Engine.IO's reason for the close; Socket.IO keeps no session for recovery that ended for it. */
export const SLOW_CONSUMER = "slow consumer";

export interface BacklogLimits {
  readonly slowPolicy: "disconnect" | "drop-volatile";
  readonly maxBufferedBytes: number;
  readonly maxBufferedPackets: number;
}

export type OnCutOff = (session: Socket, cause: SlowConsumerCause, waiting: Readonly<Waiting>) => void;

export interface Waiting {
  bytes: number;
  packets: number;
}

const NOTHING: Readonly<Waiting> = { bytes: 0, packets: 0 };
/** The share of the limits from which on volatile messages are dropped where they may wait. */
const VOLATILE_SHARE = 1 / 4;
/** So that one outsize message may wait behind another that is being written, with some room left for pings and the like. */
const OUTSIZE_SHARE = 2 / 5;

export class Backlog {
  readonly #limits: BacklogLimits;
  /** What one message or one write counts for at most. */
  readonly #mostBytes: number;
  readonly #unread: UnreadAnswers;
  readonly #onCutOff: OnCutOff;
  /** What Engine.IO keeps, of sessions for which it keeps something. */
  readonly #waiting = new Map<Socket, Waiting>();
  #isUncounted = false;

  constructor(limits: BacklogLimits, unread: UnreadAnswers, onCutOff: OnCutOff) {
    this.#limits = limits;
    this.#mostBytes = limits.maxBufferedBytes * OUTSIZE_SHARE;
    this.#unread = unread;
    this.#onCutOff = onCutOff;
  }

  /** A packet is about to be kept because the transport cannot take it now. */
  add(session: Socket, bytes: number): void {
    if (session.readyState !== "open" || this.#isUncounted) return;
    let kept = this.#waiting.get(session);
    if (kept === undefined) this.#waiting.set(session, (kept = { bytes: 0, packets: 0 }));
    kept.packets++;
    kept.bytes += Math.min(bytes, this.#mostBytes);
    if (kept.packets > this.#limits.maxBufferedPackets) this.cutOff(session, "packets");
    else if (this.#bytes(session, kept) > this.#limits.maxBufferedBytes) this.cutOff(session, "bytes");
  }

  /** What `write` has kept for clients does not count: it has a bound of its own. */
  uncounted(write: () => void): void {
    this.#isUncounted = true;
    try {
      write();
    } finally {
      this.#isUncounted = false;
    }
  }

  /** What was kept has been handed to the transport, or the session is over. */
  forget(session: Socket): void {
    if (this.#waiting.size > 0) this.#waiting.delete(session);
  }

  /** Whether a volatile message may wait for this client, whose transport cannot take it now. */
  takesVolatile(session: Socket): boolean {
    const { slowPolicy, maxBufferedBytes, maxBufferedPackets } = this.#limits;
    if (slowPolicy === "disconnect") return false;
    const kept = this.#waiting.get(session) ?? NOTHING;
    return (
      kept.packets < maxBufferedPackets * VOLATILE_SHARE &&
      this.#bytes(session, kept) < maxBufferedBytes * VOLATILE_SHARE
    );
  }

  /**
   * Ends the session at once, without a word to a client that would not read it: stock clients take that for a lost connection and come back. From here
   * on nothing is kept for it; the app hears of it once the code that sent is done.
   */
  cutOff(session: Socket, cause: SlowConsumerCause): void {
    if (session.readyState !== "open") return;
    const condemned = session as unknown as CondemnableInternals;
    const kept = this.#waiting.get(session) ?? NOTHING;
    const waiting = { bytes: kept.bytes + this.#heldBytes(session.transport), packets: kept.packets };
    this.forget(session);
    condemned.readyState = "closing";
    condemned.writeBuffer.length = 0;
    // Before the connection goes, whose failed writes would be another reason.
    process.nextTick(() => condemned.onClose(SLOW_CONSUMER));
    const { transport } = session;
    if (transport.name === "websocket") webSocketOf(transport).terminate();
    else this.#unread.abandon(transport);
    this.#onCutOff(session, cause, waiting);
  }

  #bytes(session: Socket, kept: Readonly<Waiting>): number {
    return kept.bytes + Math.min(this.#heldBytes(session.transport), this.#mostBytes);
  }

  /** What was handed to the transport and is not with the kernel. */
  #heldBytes(transport: Transport): number {
    return transport.name === "websocket" ? heldByWebSocket(transport) : this.#unread.bytes(transport);
  }
}

/** Of either write path: limpet's knows of frames that it has not written yet. */
export function heldByWebSocket(transport: Transport): number {
  const { bufferedBytes } = transport as { readonly bufferedBytes?: number };
  return bufferedBytes ?? webSocketOf(transport).bufferedAmount;
}

export function webSocketOf(transport: Transport): WebSocketInternals {
  return (transport as unknown as { readonly socket: WebSocketInternals }).socket;
}
