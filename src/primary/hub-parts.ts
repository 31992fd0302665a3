/** What the hub is given: its peers, and what it counts, logs and passes on to. */
import type { Outgoing } from "../link/entry-frame.js";
import type { DownMessage, Publish, Reply } from "../link/messages.js";
import type { LoggedEvent } from "../recovery/log-entry.js";

/** The hub's side of one worker's wire. */
export interface HubPeer {
  readonly wid: number;
  readonly queueBytes: number;
  /** For what must arrive; small. */
  send(message: DownMessage): void;
  /** The same, behind all that other workers have sent this one before now. */
  sendBehind(message: DownMessage): void;
  /** False: the wire's bound is reached and the message was dropped. */
  offer(frame: readonly Buffer[]): boolean;
}

export interface HubCounters {
  /** Messages taken from workers. */
  received(): void;
  /** Copies passed on to a worker. */
  forwarded(copies: number): void;
  /** Workers that were spared a copy because they have no members. */
  skipped(copies: number): void;
  /** A copy that a worker's full wire could not take. */
  dropped(peer: HubPeer): void;
}

/** Every server outside of this node, as the hub sees them: one more peer, which gets everything and is asked everything. */
export interface Outside {
  /**
   * @param pos its position in the log, where it stands there
   * @returns whether answers will follow
   */
  publish(wid: number, message: Publish, body: Buffer, pos: number | undefined): boolean;
  /** The same of what needs no answer, as the entry that the worker has made of it. */
  pass(entry: Outgoing, body: Buffer): void;
  /** A worker's answer to what came from outside. */
  reply(wid: number, message: Reply, body: Buffer): void;
  /** The first worker has opened that namespace. */
  opened(nsp: string): void;
  /** The last worker has closed it. */
  closed(nsp: string): void;
  gone(wid: number): void;
  /** Servers outside that have the namespace open. */
  countOthers(nsp: string): Promise<number>;
}

/** With recovery on: everything that clients may be given later passes through here before it goes on. */
export interface HubLog {
  /** Where it stands now: what is passed on later lies behind. */
  readonly position: { readonly pos: number; readonly streamId?: string };
  /** @returns its position */
  published(wid: number, message: Publish, body: Buffer): number;
  logged(event: LoggedEvent): number;
  /** Sockets that have had it before they came to this node, by their ids. */
  receivers(event: LoggedEvent): readonly string[];
}
