/**
 * The private parts of socket.io 4.8.4, engine.io 6.6.12, socket.io-adapter 2.5.8 and ws 8.23.0 that limpet leans on, in one place. Each has a test in
 * test/internals that fails, by name, when a new version changes it.
 */
import type { EventEmitter } from "node:events";
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Server } from "socket.io";
import type { BroadcastOptions } from "socket.io-adapter";

/** socket.io's Socket, as far as the adapter looks into it. */
export interface SocketInternals {
  readonly client: {
    readonly conn: { readonly id: string };
    writeToEngine(encodedPackets: readonly string[], options: PacketOptions): void;
  };
  readonly _anyOutgoingListeners?: readonly unknown[];
  notifyOutgoingListeners(packet: Packet): void;
}

/** socket.io-parser's packet; an ack is asked for where it has an id. */
export interface Packet {
  readonly type: number;
  readonly nsp?: string;
  readonly data: unknown[];
  readonly id?: number;
}

/** socket.io-parser's PacketType, as far as it is needed. */
export const PacketType = { EVENT: 2 } as const;

/** What Engine.IO is told about a packet. `wsPreEncodedFrame`: buffers written as they are to a WebSocket without compression. */
export interface PacketOptions {
  readonly preEncoded: true;
  readonly volatile: boolean | undefined;
  compress: boolean | undefined;
  wsPreEncodedFrame: readonly Buffer[] | undefined;
}

/** socket.io-adapter's Adapter: calls back for each local socket the options mean. */
export interface AdapterInternals {
  apply(opts: BroadcastOptions, callback: (socket: SocketInternals) => void): void;
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

/** engine.io's request, as its transports get it; for a WebSocket with the connection that ws made of it. */
export interface EngineRequest extends IncomingMessage {
  readonly _query: Record<string, string>;
  readonly websocket: WebSocketInternals;
}

/** ws's WebSocket: `_socket` is the connection beneath, to which ws itself writes whole frames only. */
export interface WebSocketInternals {
  readonly _socket: Socket;
  readonly readyState: number;
  /** The extensions agreed on; empty: none. */
  readonly extensions: string;
  readonly bufferedAmount: number;
  send(
    data: string | ArrayBuffer | ArrayBufferView,
    options: { readonly compress: boolean },
    callback: (error?: Error) => void,
  ): void;
}

/** engine.io's Socket, as far as its heartbeat is concerned. */
export interface HeartbeatInternals extends EventEmitter {
  readonly readyState: string;
  onClose(reason: string, description?: unknown): void;
  /** Null while no pong is awaited. */
  readonly pingTimeoutTimer: NodeJS.Timeout | null;
  resetPingTimeout(): void;
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
