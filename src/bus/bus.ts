/**
 * The bus: one stream reader, one writer and one subscriber for the whole node. To other nodes and to stock servers on the same Redis this node is
 * one Socket.IO server.
 *
 * It reads and writes the format of @socket.io/redis-streams-adapter by itself rather than by an instance of that package per namespace: reading is
 * where the defects are, each message would be decoded, and requests would be answered for sockets that the primary does not have.
 */
import { connectRedis, connectSubscriber, type RedisConnection, type RedisSubscriber } from "../lib/redis.js";
import { toError } from "../lib/to-error.js";
import type { Outgoing } from "../link/entry-frame.js";
import { headerTextOf } from "../link/entry-header.js";
import type { Publish, Reply } from "../link/messages.js";
import { decodePayload, packMessage } from "../link/payload.js";
import { Appender } from "./appender.js";
import { Answering } from "./answering.js";
import { Asking, type Response } from "./asking.js";
import { BusHealth, SILENCE_MS, type BusState } from "./bus-health.js";
import type { BusOptions } from "./bus-options.js";
import { BusSessions } from "./bus-sessions.js";
import { Bundling } from "./bundling.js";
import { Channels } from "./channels.js";
import { Inbox } from "./inbox.js";
import { NODE_SPACE } from "./node-words.js";
import { serverMessageOf } from "./server-message.js";
import { StreamReader } from "./stream-reader.js";
import type { StreamWriter } from "./stream-writer.js";

const TICK_MS = 500;
const DRAIN_MS = 2_000;
/** Type of the entry by whose return a node knows that it hears the stream; none of socket.io-adapter's. */
const GREETING = 0;

export class Bus {
  readonly uid: string;
  /** For commands of others, such as the node's lease. */
  readonly redis: RedisConnection;
  /** With recovery on. */
  readonly sessions: BusSessions | undefined;
  readonly #options: BusOptions;
  readonly #reading: RedisConnection;
  readonly #subscriber: RedisSubscriber;
  readonly #appender: Appender;
  readonly #writer: StreamWriter;
  readonly #reader: StreamReader;
  readonly #channels: Channels;
  readonly #bundling: Bundling;
  readonly #asking: Asking;
  readonly #answering: Answering;
  readonly #inbox: Inbox;
  readonly #health: BusHealth;
  #stopping = false;
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: BusOptions) {
    this.#options = options;
    this.uid = options.uid;
    const { settings, stream, channelPrefix, stallTimeoutMs, local, recovery, counters, log, now } = options;
    const connection = { ...settings, stallTimeoutMs };
    // Watched by the ticker: a timer for each command would cost as much as the command.
    const watched = { ...settings, stallTimeoutMs: undefined };
    this.#health = new BusHealth({ log, now });
    const onError = (error: Error): void => this.#health.failed(error);
    const onLost = (): void => this.#check();

    this.redis = connectRedis(
      { ...watched, name: "limpet-writer" },
      { onReady: () => this.#onReady(), onLost, onError },
    );
    this.#reading = connectRedis(
      { ...watched, name: "limpet-reader" },
      { onReady: () => this.#reader.wake(), onLost, onError },
    );
    // The log knows each message by the entry's id; and in a cluster no server knows of all subscriptions.
    const readsBundles = options.bundles && recovery === undefined && settings.place.kind !== "cluster";
    this.#channels = new Channels({
      redis: this.redis,
      prefix: channelPrefix,
      uid: this.uid,
      readsBundles,
      onFailure: onError,
    });
    this.#bundling = new Bundling({ ...options, redis: this.redis, writes: readsBundles, onFailure: onError });
    this.#subscriber = connectSubscriber(
      { ...connection, name: "limpet-subscriber" },
      {
        onReady: () => this.#channels.restored(),
        onLost,
        onError,
        onMessage: (channel, message) => this.#onMessage(channel, message),
      },
    );
    this.#channels.attach(this.#subscriber);

    this.#appender = new Appender({
      ...options,
      redis: this.redis,
      bundling: this.#bundling,
      onAppended: (n) => this.#health.appended(n),
      onDropped: (reason) => counters.dropped(reason),
      onFailure: onError,
      onWritten: () => {
        if (!this.#health.up) this.#check();
      },
    });
    this.#writer = this.#appender.writer;
    this.#answering = new Answering({ respond: (uid, nsp, type, data) => this.#respond(uid, nsp, type, data) });
    this.#asking = new Asking({
      local,
      countServers: (nsp, uids) => this.#channels.servers(nsp, uids),
      now,
      onFailure: onError,
    });
    const onSkipped = (id: string, error: unknown): void => {
      counters.skipped();
      log.warn({ id, err: error }, "an entry of the stream was skipped");
    };
    this.#inbox = new Inbox({
      uid: this.uid,
      local,
      answering: this.#answering,
      log: recovery?.log,
      now,
      onOwn: (n) => {
        this.#health.echoed(n);
        if (!this.#health.up) this.#check();
      },
      onMissed: (messages, uid, isExplained) => {
        if (!isExplained) counters.gap("missing");
        log.warn({ messages, source: uid }, "messages of another node were lost before they were read");
      },
      onSkipped,
      onStock: () => this.#bundling.heard(),
    });
    this.#reader = new StreamReader({
      redis: this.#reading,
      stream,
      now,
      onPositioned: () => this.#appender.append({ type: GREETING, header: "{}", nsp: undefined }),
      onEntry: (id, fields) => this.#inbox.onEntry(id, fields),
      onReached: (id) => {
        recovery?.log.reached(id);
        this.sessions?.read();
      },
      onSkipped,
      onGap: (cause, entries) => {
        this.#inbox.explainHoles();
        if (cause === "rewound") this.sessions?.restoreAll();
        counters.gap(cause);
        log.warn({ cause, entries }, "entries of the stream were lost before they were read");
      },
      onFailure: onError,
    });
    this.sessions =
      recovery &&
      new BusSessions(recovery, {
        redis: this.redis,
        uid: this.uid,
        stream,
        keyPrefix: options.keyPrefix,
        channels: this.#channels,
        isUp: () => this.#health.up,
        lastOwn: () => this.#appender.last,
        lastOf: (uid) => this.#inbox.lastOf(uid),
        seenAtMs: (uid) => this.#inbox.seenAtMs(uid),
        position: () => this.#reader.position,
        onSkipped,
        onFailure: onError,
        now,
      });
  }

  get state(): BusState {
    return this.#health.state(this.#appender.waitingBytes);
  }

  /**
   * Starts reading and writing, and goes on trying for ever.
   * @returns whether an entry of its own has come back within the time
   */
  async start(timeoutMs: number): Promise<boolean> {
    void this.#reader.run();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    return this.#health.untilUp(timeoutMs);
  }

  /** What is waiting leaves, as far as Redis takes it. */
  async stop(): Promise<void> {
    clearInterval(this.#ticker);
    this.#stopping = true;
    await this.sessions?.stop(this.redis.ready ? DRAIN_MS : 0);
    await this.#writer.drained(this.redis.ready ? DRAIN_MS : 0);
    this.#reader.stop();
    this.#writer.stop();
    this.#answering.stop();
    this.#channels.stop();
    for (const connection of [this.#reading, this.#subscriber, this.redis]) connection.close();
  }

  opened(nsp: string): void {
    this.#channels.open(nsp);
  }

  closed(nsp: string): void {
    this.#channels.close(nsp);
  }

  /** A worker has ended. */
  gone(wid: number): void {
    this.#asking.gone(wid);
    this.#answering.gone(wid);
  }

  /**
   * Takes what a worker has published.
   * @param pos its position in the node's log, where it stands in that
   * @returns whether answers will follow, and then that there are no more
   */
  publish(wid: number, message: Publish, body: Buffer, pos?: number): boolean {
    const { nsp, type, bin, req } = message;
    const payload = { bin, body };
    const place = { pos, wid };
    if (req === undefined) {
      this.#appender.append({ type, header: headerTextOf(message, place), nsp, payload });
      return false;
    }
    if (!this.#health.up) return false;
    const timeoutMs = message.timeoutMs ?? 0;
    const header = headerTextOf(message, place, [req, nsp, timeoutMs]);
    if (!this.#appender.append({ type, header, nsp: undefined, payload, isUrgent: true })) return false;
    this.#asking.open(req, wid, nsp, timeoutMs);
    // For stock servers; limpet nodes read it in the stream, where it keeps its place among what was emitted before and after.
    const copy = packMessage({ uid: this.uid, nsp, type, data: decodePayload(payload), l: 1 });
    this.redis.call("PUBLISH", this.#channels.publicName(nsp), copy).catch((error: unknown) => this.#failed(error));
    return true;
  }

  /** Takes what a worker has made an entry of by itself. */
  pass({ type, header, nsp, bin }: Outgoing, body: Buffer): void {
    this.#appender.append({ type, header, nsp, payload: { bin, body } });
  }

  /** A worker's answer to a request from outside. */
  reply(wid: number, { type, bin }: Reply, body: Buffer): void {
    this.#answering.onReply(wid, type, decodePayload({ bin, body }) as Record<string, unknown>);
  }

  /** Servers of the fleet that have the namespace open, this node left out; 0 while Redis is away. */
  async countOthers(nsp: string): Promise<number> {
    if (!this.#health.up) return 0;
    try {
      return (await this.#channels.servers(nsp, [])).others;
    } catch (error) {
      this.#failed(error);
      return 0;
    }
  }

  #respond(uid: string, nsp: string, type: number, data: object): void {
    this.redis
      .call("PUBLISH", this.#channels.privateName(nsp, uid), packMessage({ uid: this.uid, nsp, type, data }))
      .catch((error: unknown) => this.#failed(error));
  }

  #onMessage(channel: string, bytes: Buffer): void {
    try {
      const message = serverMessageOf(bytes);
      // Limpet nodes ask in the stream.
      if (message.l === 1 || message.uid === this.uid) return;
      if (message.nsp === NODE_SPACE) this.sessions?.onWord(message.uid, message.type, message.data);
      else if (channel === this.#channels.privateName(message.nsp, this.uid))
        this.#asking.onResponse(message as Response);
      else this.#inbox.onRequest(message);
    } catch (error) {
      this.#options.counters.skipped();
      this.#options.log.warn({ channel, err: error }, "a message of another server was skipped");
    }
  }

  #check(): void {
    if (!this.#stopping) this.#health.check(this.#isUp);
  }

  readonly #isUp = (): boolean =>
    this.redis.ready &&
    !this.#writer.failing &&
    this.#writer.stalledMs < SILENCE_MS &&
    this.#reader.healthy &&
    this.#subscriber.ready;

  #onReady(): void {
    this.#bundling.connected();
    this.#writer.wake();
    this.sessions?.wake();
    this.#options.onReady();
  }

  #tick(): void {
    if (this.#asking.size > 0 && this.#health.up) this.#asking.check();
    const { stallTimeoutMs } = this.#options;
    if (this.#reader.overdueMs > stallTimeoutMs) this.#reading.reset();
    if (Math.max(this.#writer.stalledMs, this.#health.silentMs) > stallTimeoutMs) this.redis.reset();
    // While this node hears nothing, nobody's silence says anything.
    if (!this.#reader.behind && this.#reader.healthy) this.#inbox.forget(this.#options.retentionMs);
    // Of a cluster, the server that holds the stream is asked.
    if (this.redis.ready && !this.#health.takeEchoes())
      this.#health.ping(this.redis.call("EXISTS", this.#options.stream));
    if (this.redis.ready) this.#bundling.tick();
    this.#check();
  }

  #failed(error: unknown): void {
    this.#health.failed(toError(error));
  }
}
