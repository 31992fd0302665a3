/** What the test of a reload and its processes of clients say to each other. Times are in ms since 1970, the same for all processes. */

export type Transport = "polling" | "websocket";

export interface CrowdOptions {
  readonly port: number;
  readonly count: number;
}

export type CrowdCommand = { readonly do: "report" };

export interface CrowdStatus {
  readonly connected: number;
  /** Sessions that ended, whoever ended them. */
  readonly drops: number;
}

/** A request over HTTP that was not answered 2xx. */
export interface Failure {
  readonly what: "handshake" | "poll" | "post" | "goodbye" | "upgrade";
  /** The answer's, or the error where there was none. */
  readonly outcome: number | string;
  readonly retryAfter: string | undefined;
  readonly atMs: number;
}

export interface ClientReport {
  readonly transport: Transport;
  readonly connected: boolean;
  readonly dropsMs: readonly number[];
  /** When it first tried to come back, for each drop. */
  readonly returnsMs: readonly number[];
  /** How long it took from a drop until it was back, for each. */
  readonly awayMs: readonly number[];
  readonly recovered: number;
  readonly failures: readonly Failure[];
}

export interface CrowdReport {
  readonly clients: readonly ClientReport[];
  /** How late a timer of this process was at most: what it saw together may have happened so far apart. */
  readonly maxLateMs: number;
}

export type CrowdEvent =
  { readonly is: "status"; readonly status: CrowdStatus } | { readonly is: "report"; readonly report: CrowdReport };
