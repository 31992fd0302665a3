/** The one door to ioredis: its clients as limpet uses them. None gives up, queues what it cannot send, or says anything twice. */
import { TLSSocket } from "node:tls";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { DirectWriter } from "./direct-writer.js";
import { readDirectly } from "./read-directly.js";
import { explained } from "./redis-error.js";
import type { RedisHost, RedisPlace } from "./redis-url.js";

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

/** Replies as RESP2 has them: no mapping. */
type ClientOptions = Omit<RedisOptions, "replyMapping">;

/** For the connection, and once more until Redis has let it in. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** How long a connection that is closed may take to end by itself. */
const DISCONNECT_TIMEOUT_MS = 200;
const MAX_RETRY_MS = 2_000;
const SLOTS_REFRESH_MS = 5_000;
const SLOTS_REFRESH_TIMEOUT_MS = 2_000;

/** With jitter, so that a fleet does not come back in one instant. */
export const retryDelay = (attempt: number): number =>
  Math.min(50 * 2 ** attempt, MAX_RETRY_MS) * (0.5 + Math.random() / 2);

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

export function createSingle(settings: RedisSettings, own: ClientOptions = {}): Redis {
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

/** One where it is no cluster. */
export const serversOf = (client: Redis | Cluster): readonly Redis[] =>
  client instanceof Cluster ? client.nodes() : [client];

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

export function createCluster(settings: RedisSettings): Cluster {
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
export function createClusterSubscriber(settings: RedisSettings): { client: Redis; isInPlace: () => Promise<boolean> } {
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
