/**
 * The short way of a broadcast: its frame goes to each client's transport at once, past Engine.IO's session, which would make a packet of it, keep that,
 * take it out again, and announce both by five events. The session is asked whenever it has a say: it keeps packets already, it ends, or somebody but
 * limpet listens to what it announces.
 */
import type { EventEmitter } from "node:events";
import type { Socket as EngineSocket } from "engine.io";
import type { DirectInternals } from "./internals.js";

/** A transport that takes frames as they are. */
export interface FrameTaker {
  /** @returns false where a packet of the session must be sent instead */
  takeFrame(frame: readonly Buffer[]): boolean;
}

const FOREIGN = Symbol("foreign listeners");

/** With the number of listeners that are not limpet's; undefined where they are not counted. */
type Announcer = EventEmitter & { [FOREIGN]?: number };

const ANNOUNCEMENTS = ["packetCreate", "flush", "drain"] as const;
type Announcement = (typeof ANNOUNCEMENTS)[number];

/** What has to be announced is asked for each frame and client: so it is counted when listeners come and go. */
export function countListeners(announcer: Announcer): void {
  announcer[FOREIGN] = ANNOUNCEMENTS.reduce((sum, event) => sum + announcer.listenerCount(event), 0);
  announcer.on("newListener", onNewListener).on("removeListener", onRemovedListener);
}

function onNewListener(this: Announcer, event: string | symbol): void {
  if (isAnnouncement(event)) this[FOREIGN] = (this[FOREIGN] ?? 0) + 1;
}

function onRemovedListener(this: Announcer, event: string | symbol): void {
  if (isAnnouncement(event)) this[FOREIGN] = (this[FOREIGN] ?? 0) - 1;
}

const isAnnouncement = (event: string | symbol): boolean => (ANNOUNCEMENTS as readonly unknown[]).includes(event);

/** Listens, for good, to what a session or Engine.IO's server announces of packets it is given; frames that go the short way are not among them. */
export function listenBesideFrames(
  announcer: Announcer,
  event: Announcement,
  listener: (...args: never[]) => void,
): void {
  announcer.on(event, listener as (...args: unknown[]) => void);
  announcer[FOREIGN] = (announcer[FOREIGN] ?? 0) - 1;
}

/** @returns whether the frame has been taken; otherwise it goes as a packet of the session */
export function writeDirectly(session: EngineSocket, frame: readonly Buffer[]): boolean {
  const { readyState, transport, writeBuffer, server } = session as unknown as DirectInternals;
  const taker: Partial<FrameTaker> = transport;
  if (taker.takeFrame === undefined || readyState !== "open" || writeBuffer.length > 0) return false;
  if ((session as Announcer)[FOREIGN] !== 0 || (server as Announcer)[FOREIGN] !== 0) return false;
  return taker.takeFrame(frame);
}
