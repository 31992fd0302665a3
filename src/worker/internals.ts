/**
 * The private parts of socket.io 4.8.4, engine.io 6.6.12, socket.io-adapter 2.5.8 and ws 8.23.0 that limpet leans on, in one place. Each has a test in
 * test/internals that fails, by name, when a new version changes it.
 */
import type { EventEmitter } from "node:events";
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Socket as EngineSocket } from "engine.io";
import type { Server } from "socket.io";
import type { BroadcastOptions } from "socket.io-adapter";

/** socket.io's Socket, as far as the adapter looks into it. */
export interface SocketInternals {
  readonly id: string;
  readonly client: ClientInternals;
  readonly _anyOutgoingListeners?: readonly unknown[];
  notifyOutgoingListeners(packet: Packet): void;
}

/** socket.io's Client: one connection and its sockets, one for each namespace it has joined. */
export interface ClientInternals {
  readonly conn: EngineSocket;
  /** Of the connection's session. */
  readonly id: string;
  readonly sockets: ReadonlyMap<string, unknown>;
  writeToEngine(encodedPackets: unknown, options: Partial<PacketOptions>): void;
  _packet(packet: { readonly type: number; readonly nsp: string; readonly data: unknown }): void;
}

/** socket.io's Socket, as far as what its client sends is bounded: `acks` are the callbacks of those that are awaited. */
export interface BoundedSocket {
  readonly connected: boolean;
  readonly client: ClientInternals;
  acks: Map<number, (...args: unknown[]) => void>;
  onevent(packet: Packet): void;
  packet(packet: { readonly type: number; readonly id: number; readonly data: unknown[] }): void;
  disconnect(close: boolean): void;
}

/**
 * socket.io's Socket, as far as recovery moves it between connections: `_onclose` ends it without a word to the client, `_cleanup` takes it out of its rooms
 * and its namespace, `packet` writes to the client. `emit`, with recovery on, goes through the adapter's `broadcast` for the room of its id.
 */
export interface RecoverableSocket extends SocketInternals {
  readonly pid: string;
  readonly adapter: object;
  data: unknown;
  packet: (packet: object, options?: object) => void;
  emit: (this: RecoverableSocket, event: string, ...args: unknown[]) => boolean;
  _onclose(reason: string): void;
  _cleanup: () => void;
}

/** socket.io-parser's packet; an ack is asked for where it has an id. */
export interface Packet {
  readonly type: number;
  readonly nsp?: string;
  readonly data: unknown[];
  readonly id?: number;
}

/** socket.io-parser's PacketType, as far as it is needed. */
export const PacketType = { EVENT: 2, ACK: 3, CONNECT_ERROR: 4 } as const;

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
  /** socket.io-parser's encoder. */
  readonly encoder: { encode(packet: object): (string | Buffer)[] };
}

/** socket.io's Namespace: `_preConnectSockets` are those whose middlewares still run; they can join rooms already. */
export interface NamespaceInternals {
  readonly name: string;
  readonly sockets: ReadonlyMap<string, RecoverableSocket>;
  readonly _preConnectSockets: ReadonlyMap<string, RecoverableSocket>;
}

/** socket.io's Namespace, as far as clients join it: `_add` makes the socket, `run` its middlewares, and `connected` is called last. */
export interface JoinedNamespace {
  readonly name: string;
  _add(client: ClientInternals, auth: unknown, connected: (socket: BoundedSocket) => void): Promise<void>;
  run(socket: JoiningSocket, done: (error?: unknown) => void): void;
}

/** socket.io's Namespace, where it makes a client's socket and gives it its id; nothing has looked at that yet when it returns. */
export interface NamingNamespace {
  _createSocket(client: ClientInternals, auth: unknown): Promise<NamedSocket>;
}

export interface NamedSocket {
  id: string;
  readonly recovered: boolean;
}

export interface JoiningSocket {
  readonly client: ClientInternals;
}

/** socket.io-parser's Decoder; `add` throws where what it is given is no packet. */
export interface PacketDecoder {
  add(packet: unknown): void;
}

/** engine.io's polling transport; `req` and `res` are set while a poll waits for an answer. */
export interface PollingInternals {
  writable: boolean;
  readonly req?: { cleanup(): void } | null;
  readonly res?: ServerResponse | null;
}

/** What it does with requests. */
export interface PollingMethods {
  /** Answers the poll that waits. */
  doWrite(data: unknown, options: unknown, callback: () => void): void;
  onDataRequest(request: IncomingMessage, response: ServerResponse): void;
  /** Takes the body of a POST. */
  onData(data: unknown): void;
  onPacket(packet: { readonly type: string; readonly data?: unknown }): void;
}

/** engine.io's Socket, as far as it is ended without waiting for what it would still write. */
export interface CondemnableInternals {
  readyState: string;
  readonly writeBuffer: unknown[];
  onClose(reason: string, description?: unknown): void;
}

/** engine.io's Socket, as far as a frame may pass it by: `writeBuffer` are packets that wait for the transport, `server` announces what it sends, too. */
export interface DirectInternals {
  readonly readyState: string;
  readonly transport: object;
  readonly writeBuffer: readonly unknown[];
  readonly server: EventEmitter;
}

/** engine.io's Server: `ws` answers upgrades; undefined where WebSocket is no transport. */
export interface EngineInternals {
  readonly ws?: UpgradeInternals;
}

/** ws's server without a port. `done` is called before it returns, once the upgrade has been answered. */
export interface UpgradeInternals {
  handleUpgrade(request: EngineRequest, socket: Duplex, head: Buffer, done: (webSocket: unknown) => void): void;
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
  /** Closes the connection at once. */
  terminate(): void;
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
  _parser: { readonly Decoder: new (...args: never[]) => PacketDecoder };
  _checkNamespace: CheckNamespace;
  attachServe(server: HttpServer): void;
}

export function internalsOf(io: Server): ServerInternals {
  return io as unknown as ServerInternals;
}
