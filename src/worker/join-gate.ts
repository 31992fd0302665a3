/**
 * Holds what is written to a client after one of its sockets joined a room, until the hub knows of the join.
 *
 * Without it a client could hold the ack of its join, tell another client, and miss what that one publishes on another worker in that
 * millisecond. The gate sits at the transport: whatever Engine.IO sends for that session waits, in order, and a close waits behind it.
 *
 * For the same reason no ack and no other word to one client is written before what was published earlier has left for the hub. Broadcasts are:
 * across publishers they have no order, and what is published in one turn of the event loop travels together.
 */
import type { Transport } from "engine.io";
import { plain } from "../lib/plain.js";
import type { FrameTaker } from "./direct-frames.js";
import type { PacketOptions, PollingInternals } from "./internals.js";

type Packets = Parameters<Transport["send"]>[0];
type DeferredTransport = Transport & FrameTaker;
type OnClosed = Parameters<Transport["doClose"]>[0];

interface Held {
  /** The interest change the hub must know of. */
  seq: number;
  readonly waiting: (
    | { readonly transport: Transport; readonly packets: Packets }
    | { readonly transport: Transport; readonly onClosed: OnClosed }
  )[];
}

export class JoinGate {
  /** By Engine.IO session id. */
  readonly #held = new Map<string, Held>();
  readonly #gatedSend: Transport["send"];
  readonly #flushingSend: Transport["send"];
  readonly #gatedTake: FrameTaker["takeFrame"];
  readonly #gatedClose: Transport["doClose"];

  /** Change the hub must know of before anything is written to anybody; 0: none. */
  #everyone = 0;

  /** @param flush sends what waits for the hub; called before each write that is no broadcast */
  constructor(flush: () => void) {
    const held = this.#held;
    const entryOf = (sid: string): Held | undefined => {
      if (this.#everyone !== 0 && !held.has(sid)) held.set(sid, { seq: this.#everyone, waiting: [] });
      return held.size === 0 ? undefined : held.get(sid);
    };
    const send = (this.#gatedSend = function (this: Transport, packets: Packets): void {
      const entry = entryOf(this.sid);
      if (entry === undefined) {
        plain(this).send.call(this, packets);
        return;
      }
      // Engine.IO buffers what comes later, as it does while a real write is under way.
      this.writable = false;
      entry.waiting.push({ transport: this, packets });
    });
    this.#flushingSend = function (this: Transport, packets: Packets): void {
      if (!packets.every(isBroadcast)) flush();
      send.call(this, packets);
    };
    const isHeld = (sid: string): boolean => this.isHeld(sid);
    this.#gatedTake = function (this: DeferredTransport, frame: readonly Buffer[]): boolean {
      return !isHeld(this.sid) && plain(this).takeFrame.call(this, frame);
    };
    this.#gatedClose = function (this: Transport, onClosed: OnClosed): void {
      const entry = held.size === 0 ? undefined : held.get(this.sid);
      if (entry === undefined || entry.waiting.length === 0) plain(this).doClose.call(this, onClosed);
      else entry.waiting.push({ transport: this, onClosed });
    };
  }

  /** @param seq number of the interest change, ever growing */
  hold(sid: string, seq: number): void {
    const held = this.#held.get(sid);
    if (held === undefined) this.#held.set(sid, { seq, waiting: [] });
    else held.seq = seq;
  }

  /** Whether anything that is sent to that session waits. */
  isHeld(sid: string): boolean {
    return this.#everyone !== 0 || (this.#held.size > 0 && this.#held.has(sid));
  }

  /** For what others are told of before the hub knows: any of this worker's clients may be the one that hears of it. */
  holdEveryone(seq: number): void {
    if (seq > this.#everyone) this.#everyone = seq;
  }

  /** The hub knows of every change up to `seq`. */
  release(seq: number): void {
    if (this.#everyone <= seq) this.#everyone = 0;
    for (const [sid, held] of this.#held) {
      if (held.seq > seq) continue;
      this.#held.delete(sid);
      for (const step of held.waiting) {
        if ("packets" in step) sendNow(step.transport, step.packets);
        else plain(step.transport).doClose.call(step.transport, step.onClosed);
      }
    }
  }

  /** Makes a transport that has just been created wait for this gate. @returns it */
  guard(transport: Transport): Transport {
    transport.send = this.#flushingSend;
    transport.doClose = this.#gatedClose;
    return transport;
  }

  /** The same for a transport that writes later, and itself sees to it that what was published leaves for the hub before. */
  guardDeferred(transport: DeferredTransport): Transport {
    transport.send = this.#gatedSend;
    transport.takeFrame = this.#gatedTake;
    transport.doClose = this.#gatedClose;
    return transport;
  }
}

/** Only the adapter prepares frames, for events that go to many. */
function isBroadcast({ options }: Packets[number]): boolean {
  return (options as Partial<PacketOptions> | undefined)?.wsPreEncodedFrame !== undefined;
}

function sendNow(transport: Transport, packets: Packets): void {
  if (transport.name === "polling") {
    // A poll that was open when the send was held still is, or its connection broke and there is nobody to answer.
    if ((transport as unknown as PollingInternals).res == null) return;
  } else if (transport.readyState === "closed") return;
  plain(transport).send.call(transport, packets);
}
