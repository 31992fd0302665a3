/** Answers workers that ask whether somebody may enter: the limits that are the whole node's, or the fleet's. */
import { AddressTable } from "../access/address-table.js";
import { ClientAddresses } from "../access/client-address.js";
import type { EntryAnswer } from "../access/refusals.js";
import { UserLimit } from "../access/user-limit.js";
import type { Config } from "../config/config.js";
import type { RedisSettings } from "../lib/redis-client.js";
import { connectRedis, type RedisConnection } from "../lib/redis.js";
import { toError } from "../lib/to-error.js";
import type { WorkerLink } from "./worker-link.js";
import type { Logger } from "pino";

export interface EntryDeskOptions {
  readonly config: Config;
  /** Of the fleet; undefined without one. */
  readonly redis: RedisSettings | undefined;
  readonly log: Logger;
  readonly now: () => number;
}

/** A Redis that is away is reported once in this time. */
const QUIET_MS = 60_000;

export class EntryDesk {
  readonly #options: EntryDeskOptions;
  readonly #addresses: AddressTable | undefined;
  readonly #clients: ClientAddresses;
  readonly #users: UserLimit | undefined;
  readonly #redis: RedisConnection | undefined;
  #warnedAtMs = -Infinity;

  constructor(options: EntryDeskOptions) {
    const { config, redis } = options;
    const { addressSessions, addressSessionsPerMinute, trustedProxies, userConnectsPerMinute } = config.access;
    this.#options = options;
    this.#clients = new ClientAddresses(trustedProxies);
    if (addressSessions !== null || addressSessionsPerMinute !== null)
      this.#addresses = new AddressTable({ maxSessions: addressSessions, maxPerMinute: addressSessionsPerMinute });
    if (userConnectsPerMinute === null) return;
    const onAlone = (error: Error): void => this.#warn(error);
    // The connection of its own is quiet while nobody connects: it must not hold up the bus, nor the bus a client that wants to enter.
    this.#redis = redis && connectRedis(redis, { onError: onAlone });
    this.#users = new UserLimit({
      perMinute: userConnectsPerMinute,
      redis: this.#redis,
      keyPrefix: config.redis.keyPrefix,
      onAlone,
    });
  }

  /** What the front asks before it hands a connection over; undefined where addresses have no limits. */
  get refusesAddress(): ((address: string | undefined) => boolean) | undefined {
    const addresses = this.#addresses;
    if (addresses === undefined) return undefined;
    return (address) => {
      // Of a proxy's clients only a worker knows the address: it reads headers.
      if (this.#clients.trusts(address)) return false;
      const key = this.#clients.of(address, undefined);
      return key !== undefined && addresses.ask(key, this.#options.now()) !== "entered";
    };
  }

  enter(link: WorkerLink, id: number, address: string): void {
    this.#answer(link, id, this.#addresses?.enter(link.wid, address, this.#options.now()) ?? "entered");
  }

  leave(link: WorkerLink, address: string): void {
    this.#addresses?.leave(link.wid, address);
  }

  async admit(link: WorkerLink, id: number, user: string): Promise<void> {
    let answer: EntryAnswer = "entered";
    try {
      answer = (await this.#users?.enter(user)) ?? "entered";
    } catch (error) {
      // What cannot be counted does not keep anybody out.
      this.#warn(toError(error));
    }
    this.#answer(link, id, answer);
  }

  /** That worker has ended. */
  remove(link: WorkerLink): void {
    this.#addresses?.leaveAll(link.wid);
  }

  close(): void {
    this.#redis?.close();
  }

  #answer(link: WorkerLink, id: number, answer: EntryAnswer): void {
    link.send({ t: "entry", id, ...(answer === "entered" ? {} : { refused: answer }) });
  }

  #warn(error: Error): void {
    const { log, now } = this.#options;
    if (now() - this.#warnedAtMs < QUIET_MS) return;
    this.#warnedAtMs = now();
    log.warn({ err: error }, "limits per user: Redis cannot be asked, and this node counts alone");
  }
}
