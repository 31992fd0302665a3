/**
 * The private parts of socket.io 4.8.4, engine.io 6.6.12 and socket.io-adapter 2.5.8 that limpet leans on, in one place. Each has a test in
 * test/internals that fails, by name, when a new version changes it.
 */
import type { Server as HttpServer, ServerResponse } from "node:http";
import type { Server } from "socket.io";

/** socket.io's Socket, as far as the adapter looks into it. */
export interface SocketInternals {
  readonly client: { readonly conn: { readonly id: string } };
}

/** socket.io's Namespace: `_preConnectSockets` are those whose middlewares still run; they can join rooms already. */
export interface NamespaceInternals {
  readonly name: string;
  readonly sockets: ReadonlyMap<string, SocketInternals>;
  readonly _preConnectSockets: ReadonlyMap<string, SocketInternals>;
}

/** engine.io's polling transport while a poll waits for an answer; both are unset otherwise. */
export interface PollingInternals {
  writable: boolean;
  readonly req?: { cleanup(): void } | null;
  readonly res?: ServerResponse | null;
}

type CheckNamespace = (name: string, auth: unknown, done: (namespace: unknown) => void) => void;

/** What `io.attach()` sets and `io.bind()` does not, and the door through which clients open dynamic namespaces. */
interface ServerInternals {
  httpServer: HttpServer;
  readonly _nsps: ReadonlyMap<string, unknown>;
  _checkNamespace: CheckNamespace;
  attachServe(server: HttpServer): void;
}

export function internalsOf(io: Server): ServerInternals {
  return io as unknown as ServerInternals;
}
