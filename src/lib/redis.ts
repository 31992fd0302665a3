/**
 * The one door to ioredis: connections to one Redis server, to a master behind Sentinel, or to a cluster, all with the same few calls.
 *
 * A connection never queues: what is sent while it is down, or is unanswered when it breaks, is rejected, and the caller decides whether it may be
 * said again. It reconnects by itself, for ever. No error of Redis ends the process.
 */
import { TLSSocket } from "node:tls";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { DirectWriter } from "./direct-writer.js";
import { readDirectly } from "./read-directly.js";
import { explained, inPlainWords } from "./redis-error.js";
import type { RedisHost, RedisPlace } from "./redis-url.js";

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

/** Replies as RESP2 has them: no mapping. */
type ClientOptions = Omit<RedisOptions, "replyMapping">;

/** For the connection, and once more until Redis has let it in. */
const CONNECT_TIMEOUT_MS = 5_000;
/** How long a connection that is closed may take to end by itself. */
const DISCONNECT_TIMEOUT_MS = 200;
const MAX_RETRY_MS = 2_000;
const SLOTS_REFRESH_MS = 5_000;
const SLOTS_REFRESH_TIMEOUT_MS = 2_000;
/** A subscriber that has nothing to say asks so often whether anybody is there. */
const SUBSCRIBER_PING_MS = 2_000;

/** With jitter, so that a fleet does not come back in one instant. */
const retryDelay = (attempt: number): number => Math.min(50 * 2 ** attempt, MAX_RETRY_MS) * (0.5 + Math.random() / 2);

export function connectRedis(settings: RedisSettings, listener: RedisListener): RedisConnection {
  const client = settings.place.kind === "cluster" ? createCluster(settings) : createSingle(settings);
  const close = keepConnected(client, listener);
  return {
    get ready() {
      return client.status === "ready";
    },
    call: (command, ...args) => explained(client.call(command, ...args)),
    callBuffer: (command, ...args) => explained(client.callBuffer(command, ...args)),
    transaction: async (commands) => {
      const batch = client.multi(commands.map(([name, ...args]) => [name.toLowerCase(), ...args]));
      const replies = await explained(batch.exec());
      // Null: a WATCH failed, and nothing here watches.
      return (replies ?? []).map(([error, reply]) => {
        if (error !== null) throw error;
        return reply;
      });
    },
    callEach: (command, ...args) => {
      const nodes = client instanceof Cluster ? client.nodes() : [client];
      return explained(Promise.all(nodes.map((node) => node.call(command, ...args))));
    },
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
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
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

function createSingle(settings: RedisSettings, own: ClientOptions = {}): Redis {
  const { place, sentinelPassword } = settings;
  const common: ClientOptions = {
    ...commonOptions(settings),
    ...own,
    db: place.database,
    enableOfflineQueue: false,
    retryStrategy: retryDelay,
  };
  if (place.kind === "standalone") return passStream(new Redis({ ...common, ...place.hosts[0] }));
  const client = new Redis({
    ...common,
    sentinels: place.hosts.map((host) => ({ ...host })),
    name: place.master ?? "",
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(place.tls ? { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(settings.tls) } : {}),
    sentinelRetryStrategy: retryDelay,
    sentinelReconnectStrategy: retryDelay,
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    failoverDetector: true,
    // A master that was demoted says so: the sentinels know the new one.
    reconnectOnError: ({ message }) => message.startsWith("READONLY"),
  });
  return passStream(client);
}

/** Each time it has connected, before the first command and reply: ioredis writes to its socket, and hears its `data`. */
export function passStream(client: Redis): Redis {
  client.on("connect", () => {
    const { stream } = client;
    // Over TLS what comes is no plain text yet.
    if (stream instanceof TLSSocket) return;
    readDirectly(stream, (bytes) => void stream.emit("data", bytes));
    const writer = new DirectWriter(stream);
    stream.write = (command: string | Buffer): boolean => {
      writer.write(typeof command === "string" ? Buffer.from(command) : command, onWritten);
      return !stream.writableNeedDrain;
    };
  });
  return client;
}

/** A failure is the connection's, and is reported by that. */
const onWritten = (): void => undefined;

function createCluster(settings: RedisSettings): Cluster {
  const { tls, ...common } = commonOptions(settings);
  const cluster = new Cluster(
    settings.place.hosts.map((host) => ({ ...host })),
    {
      redisOptions: { ...common, ...(tls === undefined ? {} : { tls }) },
      enableOfflineQueue: false,
      clusterRetryStrategy: retryDelay,
      // A cluster that is down says so to each command: no need to ask, with pauses that grow, whether it is up.
      enableReadyCheck: false,
      // A command whose reply was lost is not said again: whoever sent it decides.
      retryDelayOnFailover: 0,
      slotsRefreshInterval: SLOTS_REFRESH_MS,
      slotsRefreshTimeout: SLOTS_REFRESH_TIMEOUT_MS,
      // Certificates are for names.
      ...(tls === undefined ? {} : { dnsLookup: (host, done) => done(null, host) }),
    },
  );
  // Else the first command to each node would make the connection, and the second be refused because it is not there yet.
  cluster.on("+node", (node: Redis) => {
    passStream(node);
    if (node.status === "wait") node.connect().catch((error: Error) => cluster.emit("node error", error));
  });
  return cluster;
}

/**
 * A connection to one master of the cluster, and to the next when that is lost. The subscriber that a Cluster has of its own does not tell when it
 * was lost, nor whether it hears its channels again. On a master, because subscribers are counted on servers that the cluster lists, and it does not
 * list every replica.
 */
function createClusterSubscriber(settings: RedisSettings): { client: Redis; isInPlace: () => Promise<boolean> } {
  const { hosts } = settings.place;
  let masters: readonly RedisHost[] = [];
  let next = Math.floor(Math.random() * hosts.length);
  const client: Redis = new Redis({
    ...commonOptions(settings),
    ...hosts[next],
    autoResubscribe: false,
    enableOfflineQueue: false,
    retryStrategy: (attempt) => {
      const candidates = [...masters, ...hosts];
      Object.assign(client.options, candidates[++next % candidates.length]);
      return retryDelay(attempt);
    },
  });
  const isInPlace = async (): Promise<boolean> => {
    masters = mastersOf(await explained(client.cluster("SLOTS")));
    const { host, port } = client.options;
    if (masters.length === 0 || masters.some((one) => one.host === host && one.port === port)) return true;
    next = Math.floor(Math.random() * masters.length) - 1;
    return false;
  };
  return { client, isInPlace };
}

/** @param ranges as CLUSTER SLOTS answers: first slot, last slot, and then who holds them, the master first */
function mastersOf(ranges: unknown): RedisHost[] {
  const masters = (ranges as [number, number, [host: string, port: number]][]).map(([, , master]) => master);
  const byName = new Map(masters.map(([host, port]) => [`${host}:${port}`, { host, port }]));
  return [...byName.values()].filter(({ host }) => host !== "");
}
