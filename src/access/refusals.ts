/** Why somebody may not enter, and what he is told. */

export type EntryRefusal = "over_budget" | "lagging" | "full" | "address_sessions" | "address_rate" | "user_rate";

export interface Refused {
  readonly reason: EntryRefusal;
  /** How long it will be refused at least, as far as that is known. */
  readonly retryAfterMs: number;
}

export type EntryAnswer = "entered" | Refused;

const MESSAGES: Readonly<Record<EntryRefusal, string>> = {
  over_budget: "Too many new sessions at this moment",
  lagging: "This worker has more to do than it can",
  full: "This node has as many sessions as it may hold",
  address_sessions: "Too many sessions from this address",
  address_rate: "Too many new sessions from this address",
  user_rate: "Too many connects of this user",
};

/** An answer to a handshake. The body has the shape of Engine.IO's own errors. */
export interface HandshakeAnswer {
  readonly status: 429 | 503;
  readonly retryAfterS: number;
  readonly body: string;
}

export function answerOf({ reason, retryAfterMs }: Refused): HandshakeAnswer {
  return {
    status: reason.startsWith("address") ? 429 : 503,
    retryAfterS: Math.max(1, Math.ceil(retryAfterMs / 1_000)),
    body: JSON.stringify({ code: reason, message: MESSAGES[reason], retryAfterMs: Math.ceil(retryAfterMs) }),
  };
}

/** What `limpet.admit` rejects with. Socket.IO hands message and data to the client, in `connect_error`. */
export class AdmissionError extends Error {
  readonly data: { readonly code: EntryRefusal; readonly retryAfterMs: number };

  constructor({ reason, retryAfterMs }: Refused) {
    super(MESSAGES[reason]);
    this.name = "AdmissionError";
    this.data = { code: reason, retryAfterMs: Math.ceil(retryAfterMs) };
  }
}
