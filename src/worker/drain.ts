/**
 * Ends a worker's sessions one after another, at a set rate, with a close from which stock clients come back by themselves: a poll is answered 503, a
 * WebSocket gets its close frame. What a client had sent before it saw that is read.
 */
import type { Socket } from "engine.io";
import { answerUnavailable, type Engine } from "./engine.js";

export interface DrainOptions {
  /** Sessions closed in a second. */
  readonly perSecond: number;
  /** Sessions that are left then are closed all at once. */
  readonly deadlineMs: number;
  readonly now: () => number;
}

const TICK_MS = 25;
/** How long a client may take to answer the close; a polling client that is between two polls, to send the next. */
const LEAVE_MS = 2_000;

/** The rate at which so many sessions are closed within 4/5 of the deadline; a handful need not take that long. */
export function drainRate(sessions: number, deadlineMs: number): number {
  return Math.max(MIN_PER_SECOND, sessions / (0.8 * (deadlineMs / 1_000)));
}

const MIN_PER_SECOND = 10;

/** @returns once no session is left, or the deadline is over */
export function drain(engine: Engine, { perSecond, deadlineMs, now }: DrainOptions): Promise<void> {
  const startedAtMs = now();
  const left = [...engine.sessions];
  let released = 0;
  return new Promise((resolve) => {
    const tick = (): void => {
      const elapsedMs = now() - startedAtMs;
      const isOver = elapsedMs >= deadlineMs;
      const due = isOver ? Infinity : Math.floor((elapsedMs / 1_000) * perSecond) + 1;
      // A handshake that was under way when the drain began has made a session since.
      if (left.length === 0) left.push(...engine.sessions.filter((session) => !leaving.has(session)));
      for (; released < due && left.length > 0; released++) {
        const session = left.pop();
        if (session === undefined || session.readyState === "closed") continue;
        leaving.add(session);
        release(session);
      }
      if (!isOver && engine.clientsCount > 0) return;
      clearInterval(timer);
      resolve();
    };
    const leaving = new WeakSet<Socket>();
    const timer = setInterval(tick, TICK_MS);
    tick();
  });
}

/** Closes the transport, as if the network had: then a client reconnects, and loses nothing that it had sent. */
function release(session: Socket): void {
  const timer = setTimeout(() => session.close(true), LEAVE_MS);
  session.once("close", () => clearTimeout(timer));
  const { transport } = session;
  if (transport.name === "websocket") {
    // What is written from now on would be an error that cuts off what the client is sending.
    Object.defineProperty(transport, "writable", { get: () => false, set: () => undefined });
    transport.doClose(() => undefined);
    return;
  }
  const leave = (): void => {
    if (answerUnavailable(transport)) session.close(true);
  };
  // After Engine.IO has answered this poll with what waits, if something does: the next one ends the session.
  transport.on("ready", () => process.nextTick(leave));
  leave();
}
