/**
 * Whether messages may share entries of the stream: as long as nobody reads it who could not read that. Stock servers are seen by their subscriptions, and by
 * what they write; limpet nodes that read bundles are subscribed to one more channel than others.
 *
 * A server that was seen counts as there for as long as the stream keeps what is written now: it may have lost its subscriptions, and read on where it was. All
 * nodes remember that, each by itself and by a key, so that neither a node that starts nor a Redis that comes back empty makes them forget.
 */
import type { RedisConnection } from "../lib/redis.js";
import { toError } from "../lib/to-error.js";
import { publicChannel, readersChannel } from "./channels.js";

/** So often subscriptions are looked at, whether anything is written or not. */
const LOOK_MS = 5_000;
/** Where the retention is short so often in it; what is known of a server that is there must not run out. */
const LOOKS_A_RETENTION = 4;

/** What a script must know to see who reads the stream. */
export interface Watched {
  readonly plainKey: string;
  /** Channel of all servers: each has the main namespace open. */
  readonly all: string;
  /** Channel of those that read bundles. */
  readonly readers: string;
  readonly retentionMs: number;
}

/**
 * For scripts: `seen(plainKey, all, readers, retentionMs)` → 2 where a server is subscribed that reads no bundles, or Redis does not say: the key is renewed; 1
 * where one was within the retention; else 0. A node whose own subscriptions are not there is no witness of others'.
 */
export const SEEN = `
local function subscribers(...)
  local counts = redis.pcall("PUBSUB", ...)
  if not counts.err then return counts end
  -- Of a Redis before 7.
  if string.find(string.lower(counts.err), "unknown subcommand") then return {} end
  return {"", -1, "", -2}
end

local function keepPlain(plainKey, forMs)
  redis.call("HSET", plainKey, "seen", 1)
  redis.call("PEXPIRE", plainKey, forMs)
end

local function seen(plainKey, all, readers, retentionMs)
  local counts, sharded = subscribers("NUMSUB", all, readers), subscribers("SHARDNUMSUB", all)
  if counts[2] ~= counts[4] or (sharded[2] or 0) ~= 0 then
    keepPlain(plainKey, retentionMs)
    return 2
  end
  if counts[4] == 0 then return 1 end
  return redis.call("EXISTS", plainKey)
end
`;

/** KEYS: the plain key. ARGV: both channels, the retention, and how long this node remembers such a server still, in ms. → as of `seen`. */
const LOOK = `${SEEN}
local result = seen(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if result < 2 and ARGV[4] ~= "0" and redis.call("EXISTS", KEYS[1]) == 0 then keepPlain(KEYS[1], ARGV[4]) end
return result
`;

export interface BundlingOptions {
  readonly redis: RedisConnection;
  readonly stream: string;
  readonly channelPrefix: string;
  readonly keyPrefix: string;
  readonly retentionMs: number;
  /** Whether this node writes them. */
  readonly writes: boolean;
  readonly now: () => number;
  readonly onFailure: (error: Error) => void;
}

export class Bundling {
  readonly #options: BundlingOptions;
  readonly #watched: Watched;
  /** Known since the connection was made: whether there is one server, which knows of all subscriptions. */
  #isOneServer: boolean | undefined;
  #plainUntilMs = -Infinity;
  readonly #lookMs: number;
  #lookedAtMs = -Infinity;
  #renewedAtMs = -Infinity;

  constructor(options: BundlingOptions) {
    const { stream, channelPrefix, keyPrefix, retentionMs } = options;
    this.#options = options;
    this.#lookMs = Math.min(LOOK_MS, retentionMs / LOOKS_A_RETENTION);
    // In the stream's slot, where there are slots.
    const tag = /\{([^}]+)\}/.exec(stream)?.[1] ?? stream;
    this.#watched = {
      plainKey: `${keyPrefix}{${tag}}:plain`,
      all: publicChannel(channelPrefix, "/"),
      readers: readersChannel(channelPrefix),
      retentionMs,
    };
  }

  /** What the writer's script must look at; undefined where each message must be an entry. */
  get watched(): Watched | undefined {
    const { writes, now } = this.#options;
    return writes && this.#isOneServer === true && now() >= this.#plainUntilMs ? this.#watched : undefined;
  }

  /** The connection is new: it may lead to another server. */
  connected(): void {
    this.#isOneServer = undefined;
    this.#lookedAtMs = -Infinity;
  }

  /** A server that reads no bundles is subscribed. */
  seen(): void {
    const { now, retentionMs } = this.#options;
    this.#plainUntilMs = now() + retentionMs;
  }

  /** Such a server has written to the stream. Nodes that are not told of it by their own reading see the key. */
  heard(): void {
    const { redis, now, retentionMs } = this.#options;
    this.seen();
    if (this.#isOneServer !== true || now() - this.#renewedAtMs < this.#lookMs) return;
    this.#renewedAtMs = now();
    const { plainKey } = this.#watched;
    this.#report(
      redis.transaction([
        ["HSET", plainKey, "seen", 1],
        ["PEXPIRE", plainKey, retentionMs],
      ]),
    );
  }

  /** To be called now and then while there is a connection. */
  tick(): void {
    const { writes, now } = this.#options;
    if (!writes || now() - this.#lookedAtMs < this.#lookMs) return;
    this.#lookedAtMs = now();
    this.#report(this.#look());
  }

  async #look(): Promise<void> {
    const { redis, now } = this.#options;
    if (this.#isOneServer === undefined) {
      const info = String(await redis.call("INFO", "cluster"));
      this.#isOneServer = !/cluster_enabled:1/.test(info);
    }
    if (!this.#isOneServer) return;
    const { plainKey, all, readers, retentionMs } = this.#watched;
    const leftMs = Math.max(0, Math.ceil(this.#plainUntilMs - now()));
    const result = await redis.call("EVAL", LOOK, 1, plainKey, all, readers, retentionMs, leftMs);
    if (Number(result) === 2) this.seen();
  }

  #report(doing: Promise<unknown>): void {
    doing.catch((error: unknown) => this.#options.onFailure(toError(error)));
  }
}
