/** The node's part in its fleet, where it has one: the bus, the node's id, and who else is there. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { Bus } from "../bus/bus.js";
import { Membership } from "../bus/membership.js";
import { nodeAddress } from "../bus/node-address.js";
import { probeNode } from "../bus/node-probe.js";
import type { Config } from "../config/config.js";
import type { RedisSettings } from "../lib/redis-client.js";
import type { DownMessage } from "../link/messages.js";
import type { PrimaryMetrics } from "../telemetry/primary-metrics.js";
import type { Hub } from "./hub.js";
import type { Recovery } from "./recovery.js";

/** Without Redis the node is not to wait for it. */
const ANNOUNCE_MS = 1_000;
/** Signs of life of a session that may fail to reach Redis before it is forgotten there. */
const MISSED_SIGNS = 2;

export interface FleetOptions {
  readonly config: Config;
  readonly settings: RedisSettings;
  readonly version: string;
  /** Random, for this process's life. */
  readonly uid: string;
  readonly hub: Hub;
  /** Where it is on. */
  readonly recovery: Recovery | undefined;
  readonly metrics: PrimaryMetrics;
  readonly log: Logger;
  readonly now: () => number;
  /** Whether what is published comes here one by one: else it has come together before. */
  readonly gathers: boolean;
  /** Sessions of this node now. */
  readonly sessions: () => number;
  /** The table of nodes has changed. */
  readonly onNodes: (message: Extract<DownMessage, { t: "nodes" }>) => void;
  /** Another node holds this one's id: this one must end. */
  readonly onYield: (error: Error) => void;
}

export class Fleet {
  readonly bus: Bus;
  readonly #options: FleetOptions;
  readonly #membership: Membership;
  readonly #listening: Promise<boolean>;
  #isMember = false;

  /** Connects at once; whether Redis answers is seen later. */
  constructor(options: FleetOptions) {
    const { config, settings, version, uid, hub, recovery, metrics, log, now, sessions, gathers } = options;
    const { redis, bus, fleet, socketio } = config;
    const { maxDisconnectionDuration } = socketio.connectionStateRecovery;
    this.#options = options;
    this.bus = new Bus({
      uid,
      settings,
      stream: redis.stream,
      channelPrefix: redis.channelPrefix,
      keyPrefix: redis.keyPrefix,
      ...bus,
      gatherMs: gathers ? bus.gatherMs : 0,
      local: hub,
      recovery: recovery && {
        log: recovery,
        local: recovery,
        keptMs: maxDisconnectionDuration + MISSED_SIGNS * (socketio.pingInterval + socketio.pingTimeout),
        releaseTimeoutMs: config.recovery.releaseTimeoutMs,
        maxSessions: config.recovery.maxSessions,
        maxHistoryBytes: config.recovery.maxLogBytes,
        onOutcome: (outcome) => metrics.recoveryWrites.inc({ outcome }),
        isGone: (node) => this.#membership.complete && this.#membership.nodes.every((one) => one.uid !== node),
      },
      counters: {
        dropped: (reason) => metrics.busDropped.inc({ reason }),
        skipped: () => metrics.busSkipped.inc(),
        gap: (cause) => metrics.busGaps.inc({ cause }),
      },
      onReady: () => {
        if (this.#isMember) this.#membership.refresh();
      },
      log,
      now,
    });
    hub.join(this.bus);
    if (this.bus.sessions !== undefined) recovery?.join(this.bus.sessions);
    this.#listening = this.bus.start(bus.startTimeoutMs);
    this.#membership = new Membership({
      redis: this.bus.redis,
      keyPrefix: redis.keyPrefix,
      uid,
      nodeId: config.nodeId,
      leaseMs: fleet.leaseMs,
      quarantineMs: fleet.idQuarantineMs,
      startedAtMs: Date.now(),
      version,
      workers: config.workers,
      status: () => ({ sessions: sessions(), lagSeconds: this.bus.state.up ? this.bus.state.lagSeconds : null }),
      probe: (address) => probeNode(address),
      onNodes: () => options.onNodes(this.nodesMessage),
      onYield: (error) => {
        log.fatal({ err: error }, "the node ends: another one has its number");
        options.onYield(error);
      },
      log,
      now,
    });
  }

  /** The other nodes, as workers are told of them. */
  get nodesMessage(): Extract<DownMessage, { t: "nodes" }> {
    const { nodes, complete } = this.#membership;
    const others = nodes.filter(({ uid }) => uid !== this.bus.uid);
    return { t: "nodes", list: others.map(({ id, address }) => ({ id, address })), complete };
  }

  /** Reads the table of nodes now; `onNodes` hears of changes first. Never rejects. */
  async refreshNodes(): Promise<void> {
    await this.#membership.refreshed();
  }

  /**
   * @returns the node's id, leased or given; without Redis after a while all the same
   * @throws Error with the name StartError where another node holds the id
   */
  async claimId(): Promise<number> {
    const id = await this.#membership.start(this.#options.config.bus.startTimeoutMs);
    this.#isMember = true;
    return id;
  }

  /** @returns whether an entry of this node has come back through the stream; false after the time for it is over */
  async listening(): Promise<boolean> {
    return this.#listening;
  }

  /**
   * Tells the other nodes where this one is reached.
   *
   * @param port the clients' port
   * @returns once Redis has it, so that they find the owner of the first session; in any case after a second
   */
  async announce(port: number): Promise<void> {
    const { advertise, host } = this.#options.config;
    const late = new AbortController();
    this.#membership.announce(nodeAddress({ advertise, host, port }));
    await Promise.race([
      this.#membership.refreshed(),
      delay(ANNOUNCE_MS, undefined, { signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
  }

  /** Gives the id back, lets leave what waits, and closes the connections. */
  async stop(): Promise<void> {
    await this.#membership.stop();
    await this.bus.stop();
  }
}
