/**
 * What primary and worker say to each other over the {@link Wire}. A worker is named by its `wid`: a number that no other worker of this node has had
 * before (a slot may come back, a wid never does).
 *
 * The body of `publish`, `deliver` and `reply` is the `data` of a Socket.IO ClusterMessage or ClusterResponse in the stock streams format:
 * JSON text, or MessagePack where it holds binary (`bin`). The primary passes it on unread.
 */
import type { BroadcastFlags } from "socket.io-adapter";
import type { Config } from "../config/config.js";
import type { RecoveryDown, RecoveryUp, SessionChange } from "./recovery-messages.js";

/** Who speaks for all servers outside of this node; no worker has this number. */
export const OUTSIDE_WID = 0;

/** Type of the answer of one that has nothing to say, or nothing more; none of socket.io-adapter's. */
export const NOTHING = 0;

/** What a worker is told at its birth, over Node's IPC channel. */
export interface Boot {
  readonly type: "limpet:boot";
  readonly wid: number;
  readonly slot: number;
  /** Number of the node, given or leased. */
  readonly nodeId: number;
  /** Random, for the life of the node's primary process: tells two nodes of the same number apart. */
  readonly uid: string;
  readonly config: Config;
  /** Unix socket of the primary's end of the link. */
  readonly hubPath: string;
  /** Unix socket this worker listens on: a fresh path per incarnation. */
  readonly listenPath: string;
  /** TCP port of its slot; null where slots have none. */
  readonly slotPort: number | null;
  /** How it reaches its siblings past the primary; null where it does not. */
  readonly direct: Direct | null;
}

/** The way past the primary: {@link ./inlet.ts} and {@link ./board.ts}. */
export interface Direct {
  /** Where the workers' inlets are: {@link inletOf}. */
  readonly folder: string;
  readonly boardPath: string;
  readonly boardKey: readonly [number, number];
  /** Whether the primary has an inlet too, of the number {@link OUTSIDE_WID}, for what is said to servers outside of the node. */
  readonly hasOutside: boolean;
}

/** The pipe on which a worker hears from its siblings; it is there before the worker says hello. */
export const inletOf = (folder: string, wid: number): string => `${folder}/i${wid}.fifo`;

/**
 * A worker's first word, over IPC: it listens now. Node 20 loses what the primary sends to a cluster worker that is an ES module before the module
 * has its listener.
 */
export interface Awake {
  readonly type: "limpet:awake";
}

/** To a worker that has drained, over IPC, behind the last connection that it is handed. */
export interface LastConnection {
  readonly type: "limpet:last-connection";
}

/** A worker that cannot start says why, over IPC, before it exits. */
export interface BootFailure {
  readonly type: "limpet:boot-failed";
  readonly message: string;
  /** `FILE:LINE:COLUMN` of the app's own code, where it is known. */
  readonly where: string | undefined;
  readonly stack: string | undefined;
}

/** One change of what a worker is interested in: [operation, namespace, room]. */
export type InterestChange =
  readonly ["open" | "close" | "occupy" | "vacate", string] | readonly ["join" | "leave", string, string];

export interface Beat {
  /** The largest lag of the event loop since the last beat. */
  readonly lagMs: number;
  /** The lag that the event loop stands at. */
  readonly standingLagMs: number;
  /** What waits past the primary for other workers to read it: bytes by wid. */
  readonly waiting: readonly (readonly [wid: number, bytes: number])[];
  readonly connections: { readonly polling: number; readonly websocket: number };
}

export type UpMessage =
  | { readonly t: "hello"; readonly wid: number }
  | { readonly t: "ready" }
  /** The last session is gone: it is to be sent no connection any more, and ends with {@link LastConnection}. */
  | { readonly t: "drained" }
  /** Engine.IO sessions that have begun and ended since the last one. */
  | { readonly t: "sessions"; readonly opened: number; readonly closed: number }
  | Interest
  | RecoveryUp
  | Publish
  | Reply
  | { readonly t: "count"; readonly id: number; readonly nsp: string }
  /** A handshake asks for a place of its address; `entry` answers. */
  | { readonly t: "enter"; readonly id: number; readonly address: string }
  /** Gives the place back. */
  | { readonly t: "leave"; readonly address: string }
  /** Whether a user may connect; `entry` answers. */
  | { readonly t: "admit"; readonly id: number; readonly user: string }
  /** Asks that the table of nodes be read anew: one is missing in it that may have come a moment ago. */
  | { readonly t: "seek"; readonly id: number }
  /** Everything up to this delivery is done, and the joins it caused are on the wire before this. */
  | { readonly t: "settled"; readonly n: number }
  /** A request waits at the primary's inlet, and is not to wait for others. */
  | { readonly t: "look" }
  /** Past the primary, these workers have been told to join sockets to these rooms; each answers with `settled` of that number, before this or after. */
  | ({ readonly t: "joining" } & Joining)
  | ({ readonly t: "beat" } & Beat)
  /** Answers `collect`, or is {@link UNASKED}: then it holds what has changed. The body is the snapshot as JSON. */
  | { readonly t: "metrics"; readonly id: number };

export interface Joining {
  readonly n: number;
  readonly nsp: string;
  readonly rooms: readonly string[];
  readonly wids: readonly number[];
}

/** Answered by `known` of that `seq`. */
export interface Interest {
  readonly t: "interest";
  readonly seq: number;
  readonly changes: readonly InterestChange[];
  /** With recovery on. The body holds what they carry. */
  readonly sessions?: readonly SessionChange[];
}

export interface Publish {
  readonly t: "publish";
  readonly nsp: string;
  /** socket.io-adapter's MessageType. */
  readonly type: number;
  /** Empty: everyone in the namespace. */
  readonly rooms: readonly string[];
  readonly bin: boolean;
  /** Who gets it: workers with members in the rooms, or every worker that has the namespace open. */
  readonly to: "members" | "open";
  /** Set where replies are expected: the sender's own number for them. */
  readonly req?: string;
  /** How long the sender waits for them. */
  readonly timeoutMs?: number;
  /** Rooms that the receivers' sockets are about to join because of this message. */
  readonly joins?: readonly string[];
  readonly event?: EventHeader;
  /**
   * Set where clients that are away are to get it when they come back: then it goes into the log. The worker counts what it publishes so, from 1 on,
   * unicasts among them.
   */
  readonly seq?: number;
  /** With `seq`, where there is no `event` that says it: rooms whose members are left out. */
  readonly except?: readonly string[];
}

/** Of a plain event, so that who delivers it need not read the body: the arguments' JSON stands in it, at a known place. */
export interface EventHeader {
  /** Length of the arguments' JSON in bytes, from EVENT_ARGS_AT on. */
  readonly bytes: number;
  readonly except: readonly string[];
  readonly flags: BroadcastFlags;
}

export interface Reply {
  readonly t: "reply";
  /** wid of the worker that asked. */
  readonly to: number;
  readonly nsp: string;
  readonly type: number;
  readonly bin: boolean;
}

export interface Deliver {
  readonly t: "deliver";
  readonly from: number;
  readonly nsp: string;
  readonly type: number;
  readonly bin: boolean;
  readonly event?: EventHeader & { readonly rooms: readonly string[] };
  /** Answer with `settled` of this number once it is done. */
  readonly settle?: number;
  /** Its position in the node's log; everything before it that is for this worker was sent before. Absent where it is not logged. */
  readonly pos?: number;
  /** With `pos`, of what came from outside: its entry in the stream. Everything up to it that is for this worker was sent before. */
  readonly streamId?: string;
}

export interface Sibling {
  readonly slot: number;
  /** Unix socket it takes forwarded requests on. */
  readonly path: string;
}

/** Why there is no place. */
export interface EntryRefused {
  readonly reason: string;
  readonly retryAfterMs: number;
}

export interface StopOptions {
  readonly drain: {
    /** Reconnects that the worker's sessions may cause in a second; null: all are closed within 4/5 of the deadline. */
    readonly perSecond: number | null;
    readonly deadlineMs: number;
  };
}

/** Another node of the fleet. */
export interface RemoteNode {
  readonly id: number;
  /** HOST:PORT of its port for clients; null until it listens. */
  readonly address: string | null;
}

/** The id of metrics that no `collect` asked for. */
export const UNASKED = 0;

export type DownMessage =
  /** The siblings that live; a slot that is not among them has no sessions. */
  | { readonly t: "siblings"; readonly list: readonly Sibling[] }
  /** The other nodes. `complete`: a node that is not among them lives no more; else that is not known, and the list may be old. */
  | { readonly t: "nodes"; readonly list: readonly RemoteNode[]; readonly complete: boolean }
  /** The hub knows of every change up to this one. With recovery on, `pos` and `streamId` are as those of a Deliver. */
  | { readonly t: "known"; readonly seq: number; readonly pos?: number; readonly streamId?: string }
  | Deliver
  | RecoveryDown
  /** The workers a request went to; replies and `gone` follow. */
  | { readonly t: "expect"; readonly req: string; readonly wids: readonly number[] }
  | { readonly t: "reply"; readonly from: number; readonly nsp: string; readonly type: number; readonly bin: boolean }
  /** A worker ended; everything it sent has been passed on before. */
  | { readonly t: "gone"; readonly wid: number }
  | { readonly t: "counted"; readonly id: number; readonly count: number }
  | { readonly t: "entry"; readonly id: number; readonly refused?: EntryRefused }
  /** Whether the node holds as many sessions as it may. */
  | { readonly t: "full"; readonly full: boolean }
  /** What `nodes` told last was read after that was asked, or could not be read. */
  | { readonly t: "sought"; readonly id: number }
  | { readonly t: "collect"; readonly id: number }
  /** Close the clients so that they reconnect elsewhere, finish requests in flight, exit. */
  | ({ readonly t: "stop" } & StopOptions);
