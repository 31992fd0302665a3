/** What a client comes back to, as the primary and Redis keep it. */
import type { Claim } from "./claim.js";
import type { LogEntry } from "./log-entry.js";

export interface SessionRecord {
  readonly nsp: string;
  /** The client's secret. */
  readonly pid: string;
  /** `socket.id`. */
  readonly id: string;
  /** Grows by one each time that it goes to another node: Redis refuses what is written with an older one. */
  readonly generation: number;
  /** Rooms, the socket's own among them, each with the claim of its worker at the join: what that covers is older than the membership. */
  readonly rooms: readonly SessionRoom[];
  /** `socket.data`, by v8.serialize. */
  readonly data: Buffer;
  /** Claim of the worker when the session began: what a client that brings no offset has received. */
  readonly since: Claim;
  /** Everything that this covers has arrived at the client: it has answered a ping that was sent behind it. */
  readonly life: Claim | undefined;
  /** What its client had received each time it came back, one claim for each of its last nodes. */
  readonly former: readonly Claim[];
  /** What its last node had logged for this client alone; only where the session moves between nodes. */
  readonly unicasts?: readonly LogEntry[];
}

export type SessionRoom = readonly [room: string, joined: Claim];
