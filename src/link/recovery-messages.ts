/**
 * What primary and worker say to each other of sessions that can be recovered. None of it is sent where recovery is off.
 *
 * A claim is text here, as `recovery/claim.ts` writes it. A session is named by its `pid`; with each change goes the `generation` that the worker was
 * given with the session: after a session has gone elsewhere, what its former worker still says of it is refused.
 */

/**
 * One change of the sessions of a worker. They ride in its `interest` message, in the order in which they happened, so a client's ack of a join waits
 * until the primary knows of the session's room as well. `bytes`: length of the session's `socket.data` (v8.serialize); these stand in the
 * message's body one behind the other, in the order of the changes that have any.
 */
export type SessionChange =
  /** A new session, whose generation is 1. `rooms`: those it is in, its own id among them. */
  | readonly [
      kind: "open",
      nsp: string,
      pid: string,
      id: string,
      since: Stamp,
      rooms: readonly (readonly [room: string, joined: Stamp])[],
      bytes: number,
    ]
  /** A room it was in before keeps its stamp. */
  | readonly [kind: "join", pid: string, generation: number, room: string, joined: Stamp]
  | readonly [kind: "leave", pid: string, generation: number, room: string]
  /** `socket.data` has changed. */
  | readonly [kind: "data", pid: string, generation: number, bytes: number]
  /** The client has answered a ping that was sent behind everything the claim covers. */
  | readonly [kind: "life", pid: string, generation: number, claim: string]
  /** Disconnected, and may come back. Also the word of a worker that has been given a session and cannot use it: the connection is gone. */
  | readonly [kind: "left", pid: string, generation: number]
  /** Over for good. */
  | readonly [kind: "end", pid: string, generation: number];

/**
 * When a session joined a room, or began: what is covered is older, and is never replayed.
 *
 * `claim` is the worker's own at that moment. `batch` is 0 where the hub knew then that this worker has members in the room (for `since`: in the namespace);
 * else the number of the `interest` message that says so, which may be this very one: then what the hub had passed on before that message was
 * not for this worker, and is older as well.
 */
export type Stamp = readonly [claim: string, batch: number];

/** A copy for the log of what went to one client of this worker. The body is as that of `publish`. */
export interface Unicast {
  readonly t: "unicast";
  readonly nsp: string;
  /** `socket.id`, which is the room it stands under. */
  readonly id: string;
  /** Counted with the worker's other publications. */
  readonly seq: number;
  readonly bin: boolean;
  /** As `bytes` of an EventHeader; absent: the body has to be decoded. */
  readonly args?: number;
}

export type RecoveryUp =
  | Unicast
  /** A client has come back. Answered by `restored`; from here on the asker keeps what it publishes itself. */
  | {
      readonly t: "restore";
      readonly id: number;
      readonly nsp: string;
      readonly pid: string;
      /** As the client brought it; empty: it has received nothing. */
      readonly offset: string;
    }
  /**
   * The session that `restored` gave is in its rooms here, and the interest of these was reported before this; or it was given up. Until then the hub
   * passes on what is for its rooms.
   */
  | { readonly t: "resumed"; readonly id: number }
  /** The answer to `release`: the socket is gone; its last changes, unicasts and publications were sent before this. */
  | { readonly t: "released"; readonly id: number }
  /** Asks for `checkpointed`; the session's changes were sent before this. */
  | { readonly t: "checkpoint"; readonly id: number; readonly pid: string; readonly generation: number };

/** The session that a worker is given, and what it needs to go on from there. */
export interface RestoredSession {
  /** `socket.id`. */
  readonly id: string;
  readonly generation: number;
  readonly rooms: readonly string[];
  /** Length of `socket.data` at the start of the body. */
  readonly dataBytes: number;
  /** What the client has missed, in the order in which it is to be written; the bodies follow in the message's body. */
  readonly missed: readonly MissedEvent[];
  /**
   * What was missed was read off the log at this position, and as far as this id of the stream: the worker's own claim is raised to these before it
   * makes another one. What comes later for the session's rooms follows on the wire.
   */
  readonly pos: number;
  readonly streamId?: string;
  /**
   * Last publication of the asker that the log had then. Later ones for the session's rooms, which the asker has kept, it adds itself behind `missed`, with
   * claims that cover `pos` and `streamId`.
   */
  readonly seq: number;
}

export interface MissedEvent {
  /** Length of its body, which is as that of `publish`. */
  readonly bytes: number;
  readonly bin: boolean;
  /** As `bytes` of an EventHeader; absent: the body has to be decoded. */
  readonly args?: number;
  /** To be appended to the arguments. */
  readonly claim: string;
}

export type RecoveryDown =
  /** Without `session`: it starts anew, for the reason that `outcome` names. */
  | { readonly t: "restored"; readonly id: number; readonly outcome: string; readonly session?: RestoredSession }
  /**
   * The session goes elsewhere, or to another connection here. Its socket is taken out of its namespace without a word to the client, and is not
   * reported as left or ended.
   *
   * @property generation that it had here; a socket of another one is left alone, and `released` all the same
   */
  | { readonly t: "release"; readonly id: number; readonly pid: string; readonly generation: number }
  /** @property failed Redis did not take it; the primary has it */
  | { readonly t: "checkpointed"; readonly id: number; readonly failed: boolean }
  /** Everything up to here that is for this worker was sent before: as `pos` and `streamId` of a Deliver. At most once a second, where these have moved. */
  | { readonly t: "position"; readonly pos: number; readonly streamId?: string };
