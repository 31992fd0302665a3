/** A stock Socket.IO server with the stock Redis Streams adapter, in a process of its own: what limpet nodes share a Redis with. */
import path from "node:path";
import { encode } from "@msgpack/msgpack";
import type { Redis, RedisOptions } from "ioredis";
import type { ServerOptions } from "socket.io";
import { MessageType } from "socket.io-adapter";
import { exitOf, killGroup, startGroup, type Exit, type Scope } from "./children.js";
import { root } from "./node.js";
import { waitFor } from "./wait.js";

export interface StockOptions {
  /** Where Redis is, for ioredis. */
  readonly redis: { readonly port: number } & Omit<RedisOptions, "replyMapping">;
  /** Its app's file, from the project's folder: a module as limpet takes it, which gets a `limpet` of `node`, `worker` and `log.info` only. */
  readonly app: string;
  /** What its app finds as `limpet.node.id`. */
  readonly id: number;
  /** Options of the adapter. */
  readonly adapter?: Readonly<Record<string, unknown>>;
  /** Options of the Socket.IO server. */
  readonly server?: Partial<ServerOptions>;
}

export interface StockServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** How it ended, if it has. */
  ended(): Exit | undefined;
  output(): string;
  signal(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** Starts one and waits until it listens; Redis is another matter, see {@link joined}. */
export async function startStockServer(scope: Scope, { app, ...options }: StockOptions): Promise<StockServer> {
  const settings = { ...options, redis: { connectionName: nameOf(options.id), ...options.redis } };
  const child = startGroup(
    process.execPath,
    [path.join(import.meta.dirname, "stock-server.mjs"), JSON.stringify({ ...settings, app: path.resolve(root, app) })],
    { cwd: root, stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += String(chunk)));
  const ended = (): Exit | undefined =>
    child.exitCode === null && child.signalCode === null
      ? undefined
      : { code: child.exitCode, signal: child.signalCode };
  const stop = async (): Promise<void> => {
    killGroup(child.pid);
    await exitOf(child, 10_000, "the stock server");
  };
  scope.after(stop);
  const message = (): string => `the stock server to listen; it wrote:\n${output}`;
  const port = await waitFor(() => Number(/^(\d+)$/m.exec(output)?.[1] ?? (ended() ? NaN : 0)), { message });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    ended,
    output: () => output,
    signal: (signal) => void process.kill(child.pid, signal),
    stop,
  };
}

const nameOf = (id: number): string => `stock-${id}`;

/** Waits until stock servers with these ids read the stream and hear the channels of the main namespace. */
export async function joined(redis: Redis, ...ids: number[]): Promise<void> {
  await waitFor(
    async () => {
      const clients = String(await redis.call("CLIENT", "LIST")).split("\n");
      return ids.every((id) => {
        const own = clients.filter((line) => line.includes(` name=${nameOf(id)} `));
        return own.some((line) => / flags=\w*b/.test(line)) && own.some((line) => / sub=[1-9]/.test(line));
      });
    },
    { message: `the stock servers ${ids.join(", ")} to join Redis` },
  );
}

export interface EmitterTarget {
  readonly nsp?: string;
  readonly rooms?: readonly string[];
  readonly except?: readonly string[];
  readonly stream?: string;
}

/** A command of the official Redis Streams emitter for Node.js: an event, sockets that join, leave or are disconnected, or word to servers. */
export type EmitterCommand =
  | { readonly emit: readonly [event: string, ...args: unknown[]] }
  | { readonly socketsJoin: readonly string[] }
  | { readonly socketsLeave: readonly string[] }
  | { readonly disconnectSockets: boolean }
  | { readonly serverSideEmit: readonly [event: string, ...args: unknown[]] };

/** Adds the entry that the emitter would add. @returns its id */
export async function emitterEntry(
  redis: Redis,
  command: EmitterCommand,
  { nsp = "/", rooms = [], except = [], stream = "socket.io" }: EmitterTarget = {},
): Promise<string> {
  const { type, data } = emitterMessage(command, nsp, { rooms, except, flags: {} });
  const field = hasBinary(data) ? Buffer.from(encode(data)).toString("base64") : JSON.stringify(data);
  const fields = ["uid", "emitter", "nsp", nsp, "type", String(type), "data", field];
  return String(await redis.call("XADD", stream, "MAXLEN", "~", "10000", "*", ...fields));
}

const hasBinary = (value: unknown): boolean =>
  ArrayBuffer.isView(value) ||
  value instanceof ArrayBuffer ||
  (typeof value === "object" && value !== null && Object.values(value).some(hasBinary));

function emitterMessage(command: EmitterCommand, nsp: string, opts: object): { type: MessageType; data: object } {
  if ("emit" in command)
    return { type: MessageType.BROADCAST, data: { packet: { type: 2, data: command.emit, nsp }, opts } };
  if ("socketsJoin" in command) return { type: MessageType.SOCKETS_JOIN, data: { opts, rooms: command.socketsJoin } };
  if ("socketsLeave" in command)
    return { type: MessageType.SOCKETS_LEAVE, data: { opts, rooms: command.socketsLeave } };
  if ("disconnectSockets" in command)
    return { type: MessageType.DISCONNECT_SOCKETS, data: { opts, close: command.disconnectSockets } };
  return { type: MessageType.SERVER_SIDE_EMIT, data: { packet: command.serverSideEmit } };
}
