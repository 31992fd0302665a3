/**
 * The one door to ioredis: connections to one Redis server, to a master behind Sentinel, or to a cluster, all with the same few calls.
 *
 * A connection never queues: what is sent while it is down, or is unanswered when it breaks, is rejected, and the caller decides whether it may be
 * said again. It reconnects by itself, for ever. No error of Redis ends the process.
 */
import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { RedisPlace } from "./redis-url.js";

export type RedisArgument = string | number | Buffer;
export type RedisCommand = readonly [command: string, ...args: RedisArgument[]];

export interface RedisSettings {
  readonly place: RedisPlace;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly sentinelPassword: string | undefined;
  /** PEM texts; used where the place says TLS. */
  readonly tls: {
    readonly ca: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
    readonly verify: boolean;
  };
  /** As CLIENT LIST shows it. */
  readonly name: string;
  /** Silence after which a connection that waits for an answer is made anew; undefined: its owner watches it. */
  readonly stallTimeoutMs: number | undefined;
}

export interface RedisConnection {
  readonly ready: boolean;
  /** Replies as strings. Rejects when the connection is not ready, breaks before the reply, or Redis answers with an error. */
  call(command: string, ...args: RedisArgument[]): Promise<unknown>;
  /** The same, with replies as Buffers. */
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>;
  /** MULTI … EXEC in one write: all of it or nothing. @returns a reply for each command */
  transaction(commands: readonly RedisCommand[]): Promise<unknown[]>;
  /** On each master: one reply where there is one server. */
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

/** Replies as RESP2 has them: no mapping. */
type ClientOptions = Omit<RedisOptions, "replyMapping">;

const CONNECT_TIMEOUT_MS = 5_000;
const MAX_RETRY_MS = 2_000;
const SLOTS_REFRESH_MS = 5_000;

/** With jitter, so that a fleet does not come back in one instant. */
const retryDelay = (attempt: number): number => Math.min(50 * 2 ** attempt, MAX_RETRY_MS) * (0.5 + Math.random() / 2);

export function connectRedis(settings: RedisSettings, listener: RedisListener): RedisConnection {
  const client = createClient(settings, listener);
  return {
    get ready() {
      return client.status === "ready";
    },
    call: (command, ...args) => client.call(command, ...args),
    callBuffer: (command, ...args) => client.callBuffer(command, ...args),
    transaction: async (commands) => {
      const replies = await client.multi(commands.map(([name, ...args]) => [name.toLowerCase(), ...args])).exec();
      // Null: a WATCH failed, and nothing here watches.
      return (replies ?? []).map(([error, reply]) => {
        if (error !== null) throw error;
        return reply;
      });
    },
    callEach: (command, ...args) =>
      client instanceof Cluster
        ? Promise.all(client.nodes("master").map((node) => node.call(command, ...args)))
        : client.call(command, ...args).then((reply) => [reply]),
    reset: () => client.disconnect(true),
    close: () => client.disconnect(),
  };
}

export function connectSubscriber(
  settings: RedisSettings,
  listener: RedisListener & { readonly onMessage: (channel: string, message: Buffer) => void },
): RedisSubscriber {
  const client = createClient(settings, listener, { autoResubscribe: false });
  client.on("messageBuffer", (channel: Buffer, message: Buffer) => listener.onMessage(channel.toString(), message));
  return {
    get ready() {
      return client.status === "ready";
    },
    subscribe: async (channels) => void (await client.subscribe(...channels)),
    unsubscribe: async (channels) => void (await client.unsubscribe(...channels)),
    reset: () => client.disconnect(true),
    close: () => client.disconnect(),
  };
}

function createClient(settings: RedisSettings, listener: RedisListener, own: ClientOptions = {}): Redis | Cluster {
  const { place } = settings;
  const client = place.kind === "cluster" ? createCluster(settings, own) : createSingle(settings, own);
  client.on("ready", () => listener.onReady?.());
  client.on("close", () => listener.onLost?.());
  client.on("error", (error: Error) => listener.onError?.(error));
  return client;
}

function commonOptions({ place, username, password, tls, name, stallTimeoutMs }: RedisSettings): ClientOptions {
  const user = place.username ?? username;
  const secret = place.password ?? password;
  return {
    ...(user === undefined ? {} : { username: user }),
    ...(secret === undefined ? {} : { password: secret }),
    ...(place.tls ? { tls: tlsOptions(tls) } : {}),
    protocol: 2,
    connectionName: name,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...(stallTimeoutMs === undefined ? {} : { socketTimeout: stallTimeoutMs }),
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    keepAlive: 10_000,
  };
}

function tlsOptions({ ca, cert, key, verify }: RedisSettings["tls"]): NonNullable<ClientOptions["tls"]> {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: verify,
  };
}

function createSingle(settings: RedisSettings, own: ClientOptions): Redis {
  const { place, sentinelPassword } = settings;
  const common: ClientOptions = {
    ...commonOptions(settings),
    ...own,
    db: place.database,
    enableOfflineQueue: false,
    retryStrategy: retryDelay,
  };
  if (place.kind === "standalone") return new Redis({ ...common, ...place.hosts[0] });
  return new Redis({
    ...common,
    sentinels: place.hosts.map((host) => ({ ...host })),
    name: place.master ?? "",
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(place.tls ? { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(settings.tls) } : {}),
    sentinelRetryStrategy: retryDelay,
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    failoverDetector: true,
    // A master that was demoted says so: the sentinels know the new one.
    reconnectOnError: ({ message }) => message.startsWith("READONLY"),
  });
}

function createCluster(settings: RedisSettings, own: ClientOptions): Cluster {
  const { tls, ...common } = commonOptions(settings);
  return new Cluster(
    settings.place.hosts.map((host) => ({ ...host })),
    {
      redisOptions: { ...common, ...own, ...(tls === undefined ? {} : { tls }) },
      enableOfflineQueue: false,
      clusterRetryStrategy: retryDelay,
      slotsRefreshInterval: SLOTS_REFRESH_MS,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    },
  );
}
