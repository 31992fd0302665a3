/** A real redis-server of a test's own, on a free port of loopback, without persistence, which the test can kill, freeze and start again. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Redis, type RedisOptions as AnyClientOptions } from "ioredis";
import { exitOf, killGroup, startGroup, type Scope } from "./children.js";
import { freePort } from "./free-port.js";
import type { Certificates } from "./redis-tls.js";
import { waitFor } from "./wait.js";

const HOST = "127.0.0.1";
const MISSING = "redis-server is missing: on Debian, apt-get install --no-install-recommends redis-server";

/** Replies as RESP2 has them: no mapping. */
type ClientOptions = Omit<AnyClientOptions, "replyMapping">;

export interface RedisOptions {
  /** A free one unless told. */
  readonly port?: number;
  /** More flags of redis-server, `["--maxmemory", "8mb"]` say. */
  readonly args?: readonly string[];
  /** A configuration file that stands before the flags. */
  readonly config?: string;
  /** Its working folder; one of its own, which goes away with the test, unless told. */
  readonly dir?: string;
  /** Of the default user, and towards a master. */
  readonly password?: string;
  /** It then speaks TLS only, with its replicas, its cluster and its sentinels too, and wants no certificate of its clients. */
  readonly tls?: Certificates;
}

export interface TestRedis {
  readonly host: string;
  readonly port: number;
  /** `redis://` or `rediss://`, with the password. */
  readonly url: string;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  /** A client of its own, closed with the test. What it cannot send waits until Redis is back; its errors show in its commands only. */
  client(options?: ClientOptions): Redis;
  /** What redis-server has written since it was last started. */
  output(): string;
  /** Ends it, at once unless told, and waits for its end. It comes back by `start`, with what was last saved: nothing, in general. */
  kill(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Starts it on the same port after a `kill`, and waits until it answers. */
  start(): Promise<void>;
  /** Stops it and starts it on the same port, with all its data or with none. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
  /** From here on it answers nobody, while its connections stay open and the kernel takes what is sent. */
  freeze(): void;
  thaw(): void;
  /** Ends it and closes its clients. */
  stop(): Promise<void>;
}

/**
 * Starts redis-server and waits until it answers.
 *
 * @param scope a test's context: Redis ends with it. Without one the caller stops it; with the test's process it ends in any case
 * @throws Error where it does not start, with what it wrote
 */
export async function startRedis(scope?: Scope, options: RedisOptions = {}): Promise<TestRedis> {
  const attempts = options.port === undefined ? 3 : 1;
  for (let attempt = 1; ; attempt++) {
    const redis = await newRedis(scope, options);
    try {
      await redis.start();
      return redis;
    } catch (error) {
      await redis.stop();
      // Somebody else took the port in the meantime.
      if (attempt === attempts || !redis.output().includes("Address already in use")) throw error;
    }
  }
}

/** One that does not run yet: for what must begin without Redis. */
export async function newRedis(scope?: Scope, options: RedisOptions = {}): Promise<TestRedis> {
  const { password, tls, dir } = options;
  const port = options.port ?? (await freePort());
  const folder = dir ?? mkdtempSync(path.join(tmpdir(), "limpet-redis-"));
  const flags = flagsOf(options, port, folder);
  const access: ClientOptions = {
    host: HOST,
    port,
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: { ca: tls.ca } }),
  };
  const clients = new Set<Redis>();
  let child: ReturnType<typeof startGroup> | undefined;
  let output = "";

  const running = (): ReturnType<typeof startGroup> => {
    if (child === undefined) throw new Error("this redis-server was not started");
    return child;
  };
  const ended = (): boolean => child === undefined || child.exitCode !== null || child.signalCode !== null;
  const kill = async (signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> => {
    if (child === undefined || ended()) return;
    child.kill(signal);
    await exitOf(child, 10_000, "redis-server");
    killGroup(child.pid);
  };
  const start = async (): Promise<void> => {
    if (!ended()) throw new Error("this redis-server runs already");
    output = "";
    try {
      child = startGroup("redis-server", flags, { stdio: ["ignore", "pipe", "pipe"] });
    } catch (error) {
      throw new Error(MISSING, { cause: error });
    }
    const { pid } = child;
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += String(chunk)));
    const message = (): string => `redis-server to answer at port ${port}; it wrote:\n${output}`;
    await waitFor(async () => ended() || (await processIdAt(access)) === pid, { message });
    if (ended()) throw new Error(`redis-server ended with ${child.exitCode ?? child.signalCode}; it wrote:\n${output}`);
  };
  const stop = async (): Promise<void> => {
    for (const client of clients) client.disconnect();
    clients.clear();
    await kill();
    if (dir === undefined) rmSync(folder, { recursive: true, force: true });
  };
  scope?.after(stop);
  const dump = path.join(folder, "dump.rdb");
  return {
    host: HOST,
    port,
    url: `${tls === undefined ? "redis" : "rediss"}://${password === undefined ? "" : `:${encodeURIComponent(password)}@`}${HOST}:${port}`,
    get pid() {
      return running().pid;
    },
    client: (more = {}) => {
      const client = new Redis({ ...access, maxRetriesPerRequest: null, ...more });
      // Without a listener ioredis prints each of them, and tests lose connections on purpose.
      client.on("error", () => undefined);
      clients.add(client);
      return client;
    },
    output: () => output,
    kill,
    start,
    restart: async ({ empty = false } = {}) => {
      if (!empty && !ended()) await withClient(access, (client) => client.call("SAVE"));
      await kill();
      if (empty && existsSync(dump)) rmSync(dump);
      await start();
    },
    freeze: () => void process.kill(running().pid, "SIGSTOP"),
    thaw: () => void process.kill(running().pid, "SIGCONT"),
    stop,
  };
}

function flagsOf({ args = [], config, password, tls }: RedisOptions, port: number, folder: string): string[] {
  const ports =
    tls === undefined ? ["--port", String(port)] : ["--port", "0", "--tls-port", String(port), ...tlsFlags(tls)];
  return [
    ...(config === undefined ? [] : [config]),
    ...["--bind", HOST, ...ports, "--dir", folder, "--save", "", "--appendonly", "no"],
    ...(password === undefined ? [] : ["--requirepass", password, "--masterauth", password]),
    ...args,
  ];
}

const tlsFlags = ({ caFile, certFile, keyFile }: Certificates): string[] => [
  ...["--tls-ca-cert-file", caFile],
  ...["--tls-cert-file", certFile],
  ...["--tls-key-file", keyFile],
  ...["--tls-auth-clients", "no", "--tls-replication", "yes"],
];

/** An answer alone would not tell whose it is. */
async function processIdAt(access: ClientOptions): Promise<number> {
  const info = await withClient(access, (client) => client.info("server"));
  return Number(/process_id:(\d+)/.exec(info)?.[1]);
}

async function withClient<T>(access: ClientOptions, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ ...access, lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}
