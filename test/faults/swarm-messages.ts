/** What a test and its processes of clients say to each other. All times are milliseconds since 1970, the same clock in each process. */

export interface SwarmOptions {
  readonly url: string;
  /** Number of the first client; the numbers are unique over all processes. */
  readonly first: number;
  readonly count: number;
  /** Undefined: the stock default, polling and then an upgrade. */
  readonly transports: readonly ("polling" | "websocket")[] | undefined;
  /** Client i is in room i modulo this. */
  readonly rooms: number;
  /** Each client speaks to its room this often. */
  readonly intervalMs: number;
}

export type SwarmCommand = { readonly do: "speak" } | { readonly do: "hush" } | { readonly do: "report" };

export type SwarmEvent =
  | { readonly is: "status"; readonly joined: number; readonly waiting: number }
  | { readonly is: "report"; readonly report: SwarmReport };

export interface SwarmReport {
  readonly clients: readonly ClientReport[];
  readonly requests: RequestReport;
}

export interface ClientReport {
  readonly id: number;
  readonly transport: string;
  /** Each time it had joined its room: when, served by which process, with which session. */
  readonly homes: readonly { readonly atMs: number; readonly pid: number; readonly sid: string }[];
  readonly disconnects: readonly { readonly atMs: number; readonly reason: string }[];
  readonly said: readonly { readonly n: number; readonly atMs: number; readonly acked: boolean }[];
  /** `FROM:N` of each message it heard. */
  readonly heard: readonly string[];
}

export interface RequestReport {
  readonly started: number;
  readonly answered: number;
  /** Not answered by 200 or 101. */
  readonly failed: readonly FailedRequest[];
  /** Still open at the time of the report; polls of living sessions should be. */
  readonly open: readonly { readonly method: string; readonly sid: string | undefined; readonly forMs: number }[];
  /** Of those that have ended. */
  readonly longestMs: number;
}

export interface FailedRequest {
  readonly sid: string | undefined;
  readonly startedMs: number;
  readonly endedMs: number;
  /** The status of the answer; undefined where the connection was closed instead. */
  readonly status: number | undefined;
}
