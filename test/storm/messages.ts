/** What the storm's test and its processes of clients say to each other. */

export interface CrowdOptions {
  readonly url: string;
  readonly count: number;
  /** They connect one after the other within this time; all at once unless told. */
  readonly spreadMs?: number;
  /** How long the stock client's own pauses may become. */
  readonly reconnectionDelayMaxMs: number;
  readonly transports: readonly ("polling" | "websocket")[];
}

export type CrowdCommand = { readonly do: "connect" } | { readonly do: "report" };

export interface CrowdReport {
  readonly connected: number;
  /** When each was in for the first time, in ms since the start. */
  readonly inAfterMs: readonly number[];
  /** Times that the client was answered that it cannot connect, by the status of the answer. */
  readonly refusals: Readonly<Record<number, number>>;
  /** Times that it could not connect and had no answer, by the error. */
  readonly errors: Readonly<Record<string, number>>;
  /** Why sessions ended though they were in. */
  readonly disconnects: readonly string[];
}
