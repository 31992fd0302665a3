/**
 * A ping timeout that gives the client the benefit of this worker's own lag. After a stall of the event loop Node runs the timers that are due
 * before it reads from sockets, so Engine.IO would close clients whose pongs have been waiting in the kernel all along.
 */
import type { Server } from "engine.io";
import { plain } from "../lib/plain.js";
import type { HeartbeatInternals } from "./internals.js";

const PING_TIMEOUT = "ping timeout";
/** After a stall a poll may still be on its way through the primary. */
const STALL_GRACE_MS = 300;

/** @param wasStalled whether the event loop stood still so long, and so lately, that a pong may be late for it */
export function giveBenefitOfLag(engine: Server, wasStalled: () => boolean): void {
  const onClose = function (this: HeartbeatInternals, reason: string, description?: unknown): void {
    const close = (): void => plain(this).onClose.call(this, reason, description);
    if (reason !== PING_TIMEOUT) {
      close();
      return;
    }
    let heard = false;
    const onPacket = (): void => void (heard = true);
    this.once("packet", onPacket);
    const decide = (isLast: boolean): void => {
      if (this.readyState === "closed") return;
      if (!heard && !isLast && wasStalled()) {
        setTimeout(decide, STALL_GRACE_MS, true);
        return;
      }
      this.off("packet", onPacket);
      if (!heard) close();
      // A pong has cleared the timer; anything else has left it as it was, run out.
      else if (this.pingTimeoutTimer !== null) this.resetPingTimeout();
    };
    // Sockets are read between two rounds of setImmediate.
    setImmediate(() => setImmediate(decide, false));
  };
  engine.on("connection", (session: HeartbeatInternals) => {
    session.onClose = onClose;
  });
}
