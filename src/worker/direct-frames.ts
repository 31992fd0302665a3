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

const OWN = Symbol("own listeners");

type Announcer = EventEmitter & { [OWN]?: number };

type Announcement = "packetCreate" | "flush" | "drain";

/** Listens to what a session, or Engine.IO's server, announces of packets it is given; frames that go the short way are not among them. */
export function listenBesideFrames(
  emitter: EventEmitter,
  event: Announcement,
  listener: (...args: never[]) => void,
): void {
  const announcer: Announcer = emitter;
  announcer.on(event, listener as (...args: unknown[]) => void);
  announcer[OWN] = (announcer[OWN] ?? 0) + 1;
}

function hasForeignListeners(announcer: Announcer): boolean {
  const listeners =
    announcer.listenerCount("packetCreate") + announcer.listenerCount("flush") + announcer.listenerCount("drain");
  return listeners !== (announcer[OWN] ?? 0);
}

/** @returns whether the frame has been taken; otherwise it goes as a packet of the session */
export function writeDirectly(session: EngineSocket, frame: readonly Buffer[]): boolean {
  const { readyState, transport, writeBuffer, server } = session as unknown as DirectInternals;
  const taker: Partial<FrameTaker> = transport;
  if (taker.takeFrame === undefined || readyState !== "open" || writeBuffer.length > 0) return false;
  if (hasForeignListeners(session) || hasForeignListeners(server)) return false;
  return taker.takeFrame(frame);
}
