/** What a scenario and its process of stock clients say to each other. All times are milliseconds since 1970. */
import type { RequestReport } from "../../faults/swarm-messages.js";

export interface CrowdOptions {
  readonly url: string;
  readonly count: number;
  /** All clients take turns through these; undefined is the stock default, polling and then an upgrade. */
  readonly transports: readonly (readonly ("polling" | "websocket")[] | null)[];
  /** Each client is in two of twice so many rooms. */
  readonly spread: number;
  /** Until a client comes back, the first time; the stock default unless told. */
  readonly reconnectionDelayMs?: number;
}

export type CrowdCommand =
  | { readonly do: "report" }
  /** Every client gives its connection up without a word, as after a ping timeout, and connects anew. */
  | { readonly do: "give up" }
  /** Every client breaks its connection in the handler of each message, until it is told to stop that. */
  | { readonly do: "break at every message" | "stop breaking" };

export type CrowdEvent =
  { readonly is: "status"; readonly status: CrowdStatus } | { readonly is: "report"; readonly report: CrowdReport };

export interface CrowdReport {
  readonly clients: readonly ClientReport[];
  readonly requests: RequestReport;
}

export interface CrowdStatus {
  /** Clients that are connected, and in their rooms. */
  readonly home: number;
  /** Clients that have lost a connection so far. */
  readonly struck: number;
  /** Lost connections so far, over all clients. */
  readonly disconnects: number;
  /** Messages that each client in its rooms has had since it last came there, at least; null where there is none. */
  readonly heardByAll: number | null;
  /** Clients by the process that serves them. */
  readonly homes: Readonly<Record<string, number>>;
}

export interface ClientReport {
  readonly id: number;
  readonly rooms: readonly string[];
  readonly transport: string;
  /** Of Socket.IO: one, if every connection was recovered. */
  readonly socketIds: readonly string[];
  readonly disconnects: readonly { readonly atMs: number; readonly reason: string }[];
  /** Each connect but the first. */
  readonly returns: readonly Return[];
  /** From the last message before a disconnect to the first one after it. */
  readonly gapsMs: readonly number[];
  /** By `PUBLISHER ROOM`, the numbers in the order of their arrival. */
  readonly heard: Readonly<Record<string, readonly number[]>>;
  /** The same for what was sent to this client alone, by process. */
  readonly unicasts: Readonly<Record<string, readonly number[]>>;
}

export interface Return {
  readonly atMs: number;
  readonly recovered: boolean;
  /** Whether id, rooms and data are what they were, where it was recovered. */
  readonly intact: boolean;
}

export const roomsOf = (id: number, spread: number): [string, string] => [
  `a${id % spread}`,
  `b${Math.floor(id / spread) % spread}`,
];

export const allRooms = (spread: number): string[] =>
  ["a", "b"].flatMap((name) => Array.from({ length: spread }, (_, i) => `${name}${i}`));
