/** The soak's clients: each joins its room again and again, whatever cuts it off. */
import { setTimeout as delay } from "node:timers/promises";
import { io } from "socket.io-client";

export interface Said {
  readonly from: number;
  readonly n: number;
}

export interface Ears {
  /** The room was joined, at that node. */
  joined(node: number): void;
  /** A connection by which it had joined has ended. */
  cut(reason: string): void;
  heard(message: Said): void;
}

export interface Client {
  /** To its room; only while it has joined. */
  say(message: Said & { readonly text: string; readonly bytes?: Buffer }): void;
  stop(): Promise<void>;
}

export interface ClientOptions {
  readonly port: number;
  readonly room: string;
  readonly ears: Ears;
}

const RECONNECT_MS = { min: 500, max: 2_000 };

/** The stock client. @param transports the stock default, polling and then an upgrade, unless told */
export function stockClient(
  { port, room, ears }: ClientOptions,
  transports?: readonly ("polling" | "websocket")[],
): Client {
  const socket = io(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnectionDelay: RECONNECT_MS.min,
    reconnectionDelayMax: RECONNECT_MS.max,
    ...(transports && { transports: [...transports] }),
  });
  let joined = false;
  socket.on("connect", () => {
    const { id } = socket;
    socket.emit("join", room, (node: number) => {
      if (socket.id !== id) return;
      joined = true;
      ears.joined(node);
    });
  });
  socket.on("disconnect", (reason) => {
    if (joined) ears.cut(reason);
    joined = false;
  });
  socket.on("said", (message: Said) => ears.heard(message));
  return {
    say: (message) => void socket.emit("say", room, message),
    stop: () => {
      socket.disconnect();
      return Promise.resolve();
    },
  };
}

/** @returns a pause before the next attempt, with jitter */
export const reconnectPause = (signal: AbortSignal): Promise<void> =>
  delay(RECONNECT_MS.min + Math.random() * (RECONNECT_MS.max - RECONNECT_MS.min), undefined, { signal });
