/**
 * Holds what is written to a client after one of its sockets joined a room, until the hub knows of the join.
 *
 * Without it a client could hold the ack of its join, tell another client, and miss what that one publishes on another worker in that
 * millisecond. The gate sits at the transport: whatever Engine.IO sends for that session waits, in order.
 */
import type { Transport } from "engine.io";

type Packets = Parameters<Transport["send"]>[0];

interface Held {
  /** The interest change the hub must know of. */
  seq: number;
  readonly sends: { readonly transport: Transport; readonly packets: Packets }[];
}

export class JoinGate {
  /** By Engine.IO session id. */
  readonly #held = new Map<string, Held>();

  /** @param seq number of the interest change, ever growing */
  hold(sid: string, seq: number): void {
    const held = this.#held.get(sid);
    if (held === undefined) this.#held.set(sid, { seq, sends: [] });
    else held.seq = seq;
  }

  /** The hub knows of every change up to `seq`. */
  release(seq: number): void {
    for (const [sid, held] of this.#held) {
      if (held.seq > seq) continue;
      this.#held.delete(sid);
      for (const { transport, packets } of held.sends) forward(transport, packets);
    }
  }

  /** Makes a transport that Engine.IO has just created wait for this gate. */
  guard(transport: Transport): void {
    const held = this.#held;
    transport.send = function gatedSend(this: Transport, packets: Packets): void {
      const entry = held.size === 0 ? undefined : held.get(this.sid);
      if (entry === undefined) {
        plainSend(this, packets);
        return;
      }
      // Engine.IO buffers what comes later, as it does while a real write is under way.
      this.writable = false;
      entry.sends.push({ transport: this, packets });
    };
  }
}

/** The transport class's own `send`. */
function plainSend(transport: Transport, packets: Packets): void {
  (Object.getPrototypeOf(transport) as Transport).send.call(transport, packets);
}

function forward(transport: Transport, packets: Packets): void {
  if (transport.name === "polling") {
    // A poll that was open when the send was held still is, or its connection broke and there is nobody to answer.
    if ((transport as unknown as { res?: object | null }).res == null) return;
  } else if (transport.readyState === "closed") return;
  plainSend(transport, packets);
}
