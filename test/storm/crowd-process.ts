/** A process of stock clients that all connect at once, and come back by their own back-off. Started by crowd.ts. */
import { io, type Socket } from "socket.io-client";
import type { CrowdCommand, CrowdOptions, CrowdReport } from "./messages.js";

const {
  url,
  count,
  spreadMs = 0,
  reconnectionDelayMaxMs,
  transports,
} = JSON.parse(process.argv[2] ?? "") as CrowdOptions;
const inAfterMs: number[] = [];
const refusals: Record<number, number> = {};
const disconnects: string[] = [];
const errors: Record<string, number> = {};
let sockets: Socket[] = [];

const CONNECT_TIMEOUT_MS = 240_000;

/** Where Engine.IO puts it: for a poll as a number, for a WebSocket in the words of ws. */
function statusOf(error: Error): number {
  const { description } = error as { description?: unknown };
  if (typeof description === "number") return description;
  const { message = "" } = (description ?? {}) as { message?: string };
  return Number(/^Unexpected server response: (\d+)$/.exec(message)?.[1] ?? 0);
}

/** What the client knows of the cause: the words of ws, or the status and the text of an answer. */
function textOf(error: unknown): string {
  const { message, description, context } = (error ?? {}) as {
    readonly message?: string;
    readonly description?: number | { readonly message?: string };
    readonly context?: { readonly responseText?: string };
  };
  const cause = typeof description === "object" ? description.message : description;
  return [message, cause, context?.responseText?.slice(0, 100)].filter((part) => part !== undefined).join(", ");
}

function connect(): void {
  const startedAtMs = performance.now();
  sockets = Array.from({ length: count }, (_, n) => {
    const socket = io(url, {
      autoConnect: false,
      forceNew: true,
      reconnectionDelayMax: reconnectionDelayMaxMs,
      transports: [...transports],
      // A machine without a free core must not be what ends a connection.
      timeout: CONNECT_TIMEOUT_MS,
    });
    let wasIn = false;
    socket.on("connect", () => {
      if (!wasIn) inAfterMs.push(performance.now() - startedAtMs);
      wasIn = true;
    });
    socket.on("disconnect", (reason, details) => disconnects.push(`${reason}: ${textOf(details)}`));
    socket.on("connect_error", (error) => {
      const status = statusOf(error);
      if (status !== 0) refusals[status] = (refusals[status] ?? 0) + 1;
      else errors[textOf(error)] = (errors[textOf(error)] ?? 0) + 1;
    });
    setTimeout(() => socket.connect(), (n * spreadMs) / count);
    return socket;
  });
}

process.on("message", ({ do: what }: CrowdCommand) => {
  if (what === "connect") connect();
  else {
    const connected = sockets.filter((socket) => socket.connected).length;
    process.send?.({ connected, inAfterMs, refusals, errors, disconnects } satisfies CrowdReport);
  }
});
process.on("disconnect", () => process.exit());
process.send?.("awake");
