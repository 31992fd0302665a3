/** By way of the primary, which knows who wants what and passes it on: one order for all workers, one log, and the rest of the fleet behind it. */
import { encodeFrame, encodePublishedEvent } from "../link/frame.js";
import type { UpMessage } from "../link/messages.js";
import type { EventOptions, Payload } from "../link/payload.js";
import type { PortWire } from "./hub-port.js";
import type { HubRoute, PublishHeader, ReplyHeader } from "./hub-route.js";

type RouteWire = Pick<PortWire, "offer">;

export class PrimaryRoute implements HubRoute {
  readonly #wire: RouteWire;
  readonly #events: RouteWire;
  readonly #onDropped: () => void;

  /**
   * @param events where plain events leave
   * @param onDropped a message that the full wire could not take
   */
  constructor(wire: RouteWire, events: RouteWire, onDropped: () => void) {
    this.#wire = wire;
    this.#events = events;
    this.#onDropped = onDropped;
  }

  attach(): void {
    // The hub says the rest.
  }

  publishEvent(nsp: string, args: string, opts: EventOptions, seq?: number): void {
    if (!this.#events.offer(encodePublishedEvent(nsp, args, opts, seq))) this.#onDropped();
  }

  publish(header: PublishHeader, { bin, body }: Payload): boolean {
    const message: UpMessage = { t: "publish", ...header, bin };
    return this.#offer(encodeFrame(message, body));
  }

  reply(header: ReplyHeader, { bin, body }: Payload): void {
    const message: UpMessage = { t: "reply", ...header, bin };
    this.#offer(encodeFrame(message, body));
  }

  flush(): void {
    // The wire is the port's.
  }

  onKnown(): void {
    // What follows a join on the wire is read behind it.
  }

  onGone(): void {
    // Nothing is kept of a worker.
  }

  #offer(frame: readonly Buffer[]): boolean {
    if (this.#wire.offer(frame)) return true;
    this.#onDropped();
    return false;
  }
}
