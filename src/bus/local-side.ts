/** The node, as the bus sees it: its workers, behind the hub. */
import type { EventHeader } from "../link/messages.js";

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
}

export interface LocalSide {
  /** @returns the wids of the workers it is for */
  deliver(message: Inbound, body: Buffer): readonly number[];
  /** One of several answers: {@link settle} follows. */
  answer(wid: number, nsp: string, type: number, data: object): void;
  /** Everything from outside has been said to that request. */
  settle(wid: number, nsp: string, requestId: string): void;
  /** Whether a worker has the namespace open. */
  isOpen(nsp: string): boolean;
}
