/**
 * Ends a worker's sessions one after another, at a set rate, with a close from which stock clients come back by themselves: a poll is answered 503, a
 * WebSocket gets its close frame. What a client had sent before it saw that is read.
 */
import type { Socket, Transport } from "engine.io";
import { answerUnavailable, type Engine } from "./engine.js";

export interface DrainOptions {
  /** Sessions closed in a second. */
  readonly perSecond: number;
  /** Sessions that are left then are closed all at once. */
  readonly deadlineMs: number;
  readonly now: () => number;
}

const TICK_MS = 25;
/** What a worker that was held up makes up for at once: the rate is kept within each second, too. */
const CATCH_UP_MS = 100;
/** How long a client may take to answer the close frame. */
const LEAVE_MS = 2_000;
/** How long a polling client that is between two polls may take for the next: on a busy machine its connection stands in line. */
const NEXT_POLL_MS = 5_000;
/** How long a polling client that was told may take to say goodbye. Not all do: it is less than stock clients pause before they come back. */
const GOODBYE_MS = 400;

export interface DrainLimits {
  /** Reconnects that the sessions may cause in a second; null: as many as the deadline asks for. */
  readonly perSecond: number | null;
  readonly deadlineMs: number;
}

/** Stock clients come back 0.5 to 1.5 s later, each as it likes: sent away at the full rate, some seconds would see a tenth more of them. */
const EVEN_SHARE = 0.85;
const MIN_PER_SECOND = 10;

/** @returns how many of so many sessions to close in a second; without a set rate all within 4/5 of the deadline, but a handful need not take that long */
export function drainRate(sessions: number, { perSecond, deadlineMs }: DrainLimits): number {
  if (perSecond !== null) return EVEN_SHARE * perSecond;
  return Math.max(MIN_PER_SECOND, sessions / (0.8 * (deadlineMs / 1_000)));
}

/** @returns once no session is left, or the deadline is over */
export function drain(engine: Engine, { perSecond, deadlineMs, now }: DrainOptions): Promise<void> {
  const startedAtMs = now();
  const left = [...engine.sessions];
  let tickedAtMs = startedAtMs;
  let due = 1;
  return new Promise((resolve) => {
    const tick = (): void => {
      const nowMs = now();
      const isOver = nowMs - startedAtMs >= deadlineMs;
      due = isOver ? Infinity : due + (Math.min(nowMs - tickedAtMs, CATCH_UP_MS) / 1_000) * perSecond;
      tickedAtMs = nowMs;
      // A handshake that was under way when the drain began has made a session since.
      if (left.length === 0) left.push(...engine.sessions.filter((session) => !leaving.has(session)));
      while (due >= 1 && left.length > 0) {
        const session = left.pop();
        if (session === undefined || session.readyState === "closed") continue;
        due--;
        leaving.add(session);
        release(session);
      }
      if (left.length === 0) due = Math.min(due, 1);
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
  const { transport } = session;
  let timer = setTimeout(() => session.close(true), transport.name === "polling" ? NEXT_POLL_MS : LEAVE_MS);
  session.once("close", () => clearTimeout(timer));
  if (transport.name === "websocket") {
    stopWriting(transport);
    transport.doClose(() => undefined);
    return;
  }
  let told = false;
  const leave = (): void => {
    if (!answerUnavailable(transport)) return;
    if (told) {
      session.close(true);
      return;
    }
    told = true;
    // What it has posted may be on its way, and its goodbye will be.
    stopWriting(transport);
    clearTimeout(timer);
    timer = setTimeout(() => session.close(true), GOODBYE_MS);
  };
  // After Engine.IO has answered this poll with what waits, if something does: the next one ends the session.
  transport.on("ready", () => process.nextTick(leave));
  leave();
}

/** What is written from now on would be an error that cuts off what the client is sending. */
function stopWriting(transport: Transport): void {
  Object.defineProperty(transport, "writable", { get: () => false, set: () => undefined });
}
