/** The node, as the bus sees it: its workers, behind the hub. */
import type { EventHeader } from "../link/messages.js";
import type { LoggedEvent } from "../recovery/log-entry.js";

/** A message of another node or a stock server, for the workers it concerns. */
export interface Inbound {
  readonly nsp: string;
  /** socket.io-adapter's MessageType. */
  readonly type: number;
  readonly bin: boolean;
  readonly rooms: readonly string[];
  readonly to: "members" | "open";
  readonly joins?: readonly string[] | undefined;
  readonly event?: EventHeader | undefined;
  /** With recovery on, where clients that are away get it when they come back: as the log takes it. */
  readonly logged?: LoggedEvent | undefined;
}

/** The node's log, as the bus feeds it. In the stream's order, deliveries among it. */
export interface StreamLog {
  /** A message of a namespace that no worker has open: for clients that come here later. */
  logged(event: LoggedEvent): void;
  /** The own message at that position of the log has come back, under that id. */
  placed(pos: number, streamId: string): void;
  /** Everything of the stream up to this id has been handed over; at first where the reader begins. */
  reached(streamId: string): void;
}

export interface LocalSide {
  /** Counts what nobody here has members for, so that it need not be looked at any further. @returns false where somebody has, or may have in a moment */
  passOver(nsp: string, rooms: readonly string[]): boolean;
  /** @returns the wids of the workers it is for */
  deliver(message: Inbound, body: Buffer): readonly number[];
  /** One of several answers: {@link settle} follows. */
  answer(wid: number, nsp: string, type: number, data: object): void;
  /** Everything from outside has been said to that request. */
  settle(wid: number, nsp: string, requestId: string): void;
  /** Whether a worker has the namespace open. */
  isOpen(nsp: string): boolean;
}
