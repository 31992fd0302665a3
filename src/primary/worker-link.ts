/** The primary's end of one worker's wire. */
import type { Socket } from "node:net";
import type { Ending, Turn } from "../lib/turn.js";
import { encodeFrame } from "../link/frame.js";
import type { DownMessage, UpMessage } from "../link/messages.js";
import type { Outlet } from "../link/outlet.js";
import { Wire } from "../link/wire.js";
import type { HubPeer } from "./hub-parts.js";

export interface WorkerLinkHandler {
  /**
   * Every message but `hello`.
   * @param frame the whole of it, where it is a plain event's
   */
  onMessage(
    link: WorkerLink,
    message: Exclude<UpMessage, { t: "hello" }>,
    body: Buffer,
    frame: Buffer | undefined,
  ): void;
  onClose(link: WorkerLink, error: Error | undefined): void;
}

export class WorkerLink implements HubPeer, Ending {
  readonly wid: number;
  readonly #wire: Wire;
  readonly #turn: Turn;
  /** Where it hears from its siblings, where that is past the primary. */
  outlet: Outlet | undefined;
  #isScheduled = false;

  constructor(wid: number, wire: Wire, turn: Turn) {
    this.wid = wid;
    this.#turn = turn;
    this.#wire = wire;
  }

  get queueBytes(): number {
    return this.#wire.queueBytes + (this.outlet?.queueBytes ?? 0);
  }

  send(message: DownMessage, body?: Buffer): void {
    this.#wire.send(message, body);
  }

  sendBehind(message: DownMessage): void {
    if (this.outlet === undefined) {
      this.#wire.send(message);
      return;
    }
    this.outlet.keep(encodeFrame(message));
    this.outlet.flush();
  }

  offer(frame: readonly Buffer[]): boolean {
    if (this.outlet === undefined) return this.#wire.offer(frame);
    if (!this.outlet.hold(frame)) return false;
    this.#schedule();
    return true;
  }

  endTurn(): void {
    this.#isScheduled = false;
    this.outlet?.flush();
  }

  destroy(): void {
    this.#wire.destroy();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#turn.add(this);
  }
}

/**
 * Waits for a worker's `hello` on a new connection, then hands over the link. `accept` says whether that wid is awaited; a connection that
 * says anything else, or nothing for `helloTimeoutMs`, is closed.
 */
export function acceptLink(
  socket: Socket,
  options: {
    accept: (wid: number) => boolean;
    handler: WorkerLinkHandler;
    maxQueueBytes: number;
    helloTimeoutMs: number;
    turn: Turn;
    onLink: (link: WorkerLink) => void;
  },
): void {
  const { accept, handler, onLink } = options;
  let link: WorkerLink | undefined;
  const timer = setTimeout(() => socket.destroy(new Error("no hello on the link")), options.helloTimeoutMs);
  const wire: Wire = new Wire(
    socket,
    {
      onFrame(header, body, frame) {
        const message = header as UpMessage;
        if (link !== undefined && message.t !== "hello") {
          handler.onMessage(link, message, body, frame);
        } else if (link === undefined && message.t === "hello" && accept(message.wid)) {
          clearTimeout(timer);
          link = new WorkerLink(message.wid, wire, options.turn);
          onLink(link);
        } else {
          socket.destroy(new Error(`unexpected ${message.t} on the link`));
        }
      },
      onClose(error) {
        clearTimeout(timer);
        if (link !== undefined) handler.onClose(link, error);
      },
    },
    options.maxQueueBytes,
    options.turn,
  );
}
