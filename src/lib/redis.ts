/**
 * Connections to one Redis server, to a master behind Sentinel, or to a cluster, all with the same few calls. What is ioredis' is in {@link ./redis-client.ts}.
 *
 * A connection never queues: what is sent while it is down, or is unanswered when it breaks, is rejected, and the caller decides whether it may be
 * said again. It reconnects by itself, for ever. No error of Redis ends the process.
 */
import type { Cluster, Redis } from "ioredis";
import {
  CONNECT_TIMEOUT_MS,
  createCluster,
  createClusterSubscriber,
  createSingle,
  retryDelay,
  serversOf,
  type RedisSettings,
} from "./redis-client.js";
import { send, type RedisArgument } from "./redis-command.js";
import { explained, inPlainWords } from "./redis-error.js";

export type RedisCommand = readonly [command: string, ...args: RedisArgument[]];

export interface RedisConnection {
  readonly ready: boolean;
  /** Replies as strings. Rejects when the connection is not ready, breaks before the reply, or Redis answers with an error. */
  call(command: string, ...args: RedisArgument[]): Promise<unknown>;
  /** The same, with replies as Buffers. */
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>;
  /** MULTI … EXEC in one write: all of it or nothing. @returns a reply for each command */
  transaction(commands: readonly RedisCommand[]): Promise<unknown[]>;
  /** On each server of a cluster, replicas too: one reply where there is one server. */
  callEach(command: string, ...args: RedisArgument[]): Promise<unknown[]>;
  /** Drops the connection and makes it anew. */
  reset(): void;
  close(): void;
}

export interface RedisSubscriber {
  readonly ready: boolean;
  subscribe(channels: readonly string[]): Promise<void>;
  unsubscribe(channels: readonly string[]): Promise<void>;
  reset(): void;
  close(): void;
}

export interface RedisListener {
  /** Each time the connection has become ready. */
  readonly onReady?: () => void;
  /** Each time it is lost. */
  readonly onLost?: () => void;
  readonly onError?: (error: Error) => void;
}

/** A subscriber that has nothing to say asks so often whether anybody is there. */
const SUBSCRIBER_PING_MS = 2_000;

export function connectRedis(settings: RedisSettings, listener: RedisListener): RedisConnection {
  const client = settings.place.kind === "cluster" ? createCluster(settings) : createSingle(settings);
  const close = keepConnected(client, listener);
  return {
    get ready() {
      return client.status === "ready";
    },
    call: (command, ...args) => explained(send(client, command, args, "utf8")),
    callBuffer: (command, ...args) => explained(send(client, command, args, null)),
    transaction: async (commands) => {
      const batch = client.multi(commands.map(([name, ...args]) => [name.toLowerCase(), ...args]));
      const replies = await explained(batch.exec());
      // Null: a WATCH failed, and nothing here watches.
      return (replies ?? []).map(([error, reply]) => {
        if (error !== null) throw error;
        return reply;
      });
    },
    callEach: (command, ...args) =>
      explained(Promise.all(serversOf(client).map((server) => server.call(command, ...args)))),
    reset: () => reset(client),
    close,
  };
}

/** Of a cluster one master will do: what is published reaches all of its servers. */
export function connectSubscriber(
  settings: RedisSettings,
  listener: RedisListener & { readonly onMessage: (channel: string, message: Buffer) => void },
): RedisSubscriber {
  const { client, isInPlace } =
    settings.place.kind === "cluster"
      ? createClusterSubscriber(settings)
      : { client: createSingle(settings, { autoResubscribe: false }), isInPlace: undefined };
  let entered = false;
  const enter = (): void => {
    entered = true;
    listener.onReady?.();
  };
  const close = keepConnected(client, {
    onReady: () => {
      if (isInPlace === undefined) enter();
      else
        isInPlace().then(
          (yes) => (yes ? enter() : reset(client)),
          (error: Error) => {
            listener.onError?.(error);
            reset(client);
          },
        );
    },
    onLost: () => {
      entered = false;
      listener.onLost?.();
    },
    onError: (error) => listener.onError?.(error),
  });
  client.on("messageBuffer", (channel: Buffer, message: Buffer) => listener.onMessage(channel.toString(), message));
  // Only a connection that waits for an answer is known to have stalled.
  const pinger = setInterval(() => {
    if (client.status === "ready") explained(client.ping()).catch((error: Error) => listener.onError?.(error));
  }, SUBSCRIBER_PING_MS);
  return {
    get ready() {
      return entered && client.status === "ready";
    },
    subscribe: async (channels) => void (await explained(client.subscribe(...channels))),
    unsubscribe: async (channels) => void (await explained(client.unsubscribe(...channels))),
    reset: () => reset(client),
    close: () => {
      clearInterval(pinger);
      close();
    },
  };
}

/** @returns what closes the connection for good */
function keepConnected(client: Redis | Cluster, { onReady, onLost, onError }: RedisListener): () => void {
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  // Whoever accepts connections and says nothing would hold this one for ever.
  client.on("connect", () => {
    timer = setTimeout(() => client.disconnect(true), CONNECT_TIMEOUT_MS);
  });
  client.on("ready", () => {
    clearTimeout(timer);
    onReady?.();
  });
  client.on("close", () => {
    clearTimeout(timer);
    onLost?.();
  });
  client.on("error", (error: Error) => onError?.(inPlainWords(error)));
  client.on("node error", (error: Error) => onError?.(inPlainWords(error)));
  // ioredis gives up where the sentinels announce a new master in the moment in which they are asked for it.
  client.on("end", () => {
    if (!closed) timer = setTimeout(() => void client.connect().catch(onError), retryDelay(1));
  });
  return () => {
    closed = true;
    clearTimeout(timer);
    client.disconnect();
  };
}

/** One that is not ready is being made anew already, and a cluster that is told so at the wrong moment would never be ready again. */
function reset(client: Redis | Cluster): void {
  if (client.status === "ready") client.disconnect(true);
}
