/** A message that a client can be given later: one entry of a node's log. */
import type { Claimable, Origin } from "./claim.js";

/** An event as its publisher put it on the wire, unread. */
export interface LoggedEvent {
  readonly nsp: string;
  /** Empty: everyone in the namespace. */
  readonly rooms: readonly string[];
  /** Members of these are left out. */
  readonly except: readonly string[];
  /** `body` is MessagePack, because binary is inside; else it is JSON. */
  readonly bin: boolean;
  /** Of a plain event: length in bytes of the arguments' JSON, which stands in `body` at a known place; undefined: `body` has to be decoded. */
  readonly argsBytes: number | undefined;
  /** `data` of a Socket.IO ClusterMessage of type BROADCAST. */
  readonly body: Buffer;
  /** Undefined for those of stock servers. */
  readonly origin: Origin | undefined;
  /** Of this one's entry in the stream. Undefined without Redis, for unicasts, and until an own message has come back through the stream. */
  readonly streamId: string | undefined;
  /** For one client of its publisher: stands in this log alone. */
  readonly unicast: boolean;
}

export interface LogEntry extends LoggedEvent, Claimable {
  /** When it was put here, by the clock of this process. */
  readonly atMs: number;
}
