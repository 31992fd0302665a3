/** How a client's attempt to recover ends, by name. The set is a label of a metric. */
export const RECOVERY_OUTCOMES = [
  "recovered",
  /** No such session: never, or too long ago to be remembered. */
  "unknown",
  /** Away for longer than maxDisconnectionDuration. */
  "expired",
  /** Closed for good: by the client, by `socket.disconnect()`, by a middleware. */
  "ended",
  /** Pushed out by the bounds on sessions. */
  "evicted",
  /** Something it may have missed is not kept any more. */
  "trimmed",
  /** The offset is none of limpet's. */
  "bad_offset",
  /** It has missed more than may be sent at once. */
  "too_large",
  /** The session is one of another namespace. */
  "namespace",
  /** The same client has asked again meanwhile, or the worker that asked has ended. */
  "superseded",
  /** The session lives on another node, and Redis is away. */
  "bus_down",
] as const;

export type RecoveryOutcome = (typeof RECOVERY_OUTCOMES)[number];
