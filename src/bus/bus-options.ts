/** What the bus is given. */
import type { Logger } from "pino";
import type { RedisSettings } from "../lib/redis-client.js";
import type { BusSessionsOptions } from "./bus-sessions.js";
import type { LocalSide, StreamLog } from "./local-side.js";
import type { GapCause } from "./stream-reader.js";

export type DropReason = "outbox_full" | "too_large";

export interface BusCounters {
  /** A message for other nodes that was not taken. */
  dropped(reason: DropReason): void;
  /** An entry or a message of another server that cannot be read. */
  skipped(): void;
  gap(cause: GapCause | "missing"): void;
}

export interface BusOptions {
  /** Random, for this process's life: by it other servers know this node's entries and answers. */
  readonly uid: string;
  readonly settings: Omit<RedisSettings, "name" | "stallTimeoutMs">;
  readonly stream: string;
  readonly channelPrefix: string;
  readonly keyPrefix: string;
  /** The longest that a message may wait for others before it leaves, in ms; 0: not at all. */
  readonly gatherMs: number;
  /** Whether messages may share entries of the stream with servers that read that. */
  readonly bundles: boolean;
  readonly maxOutboxBytes: number;
  readonly maxEntryBytes: number;
  readonly retentionMs: number;
  readonly stallTimeoutMs: number;
  readonly local: LocalSide;
  /** With recovery on. */
  readonly recovery?: (BusSessionsOptions & { readonly log: StreamLog }) | undefined;
  readonly counters: BusCounters;
  /** Redis can be written to, at first or again. */
  readonly onReady: () => void;
  readonly log: Logger;
  readonly now: () => number;
}
