/**
 * This node as one of its fleet: the id it holds by a lease in Redis, what it says of itself there, and who else is there.
 *
 * Whatever Redis does, the node keeps its id and the table of nodes it last saw. It gives way in one case: another node that has started before
 * it holds the same id, and lives.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { RedisConnection } from "../lib/redis.js";
import { LeaseContest } from "./lease-contest.js";
import { LeaseStore, type AnyClaim, type Claim, type Held, type Vacated } from "./lease-store.js";
import { memberTable } from "./member-table.js";
import { heldByAnother, NodeIdError, noneFree, randomNodeId } from "./node-id.js";
import type { FleetNode, NodeRecord } from "./node-record.js";

export interface MembershipOptions {
  readonly redis: Pick<RedisConnection, "call">;
  readonly keyPrefix: string;
  /** Random, for this process's life. */
  readonly uid: string;
  /** The fixed id, or null to lease one. */
  readonly nodeId: number | null;
  readonly leaseMs: number;
  /** How long a freed id waits for its next holder. */
  readonly quarantineMs: number;
  /** By the wall clock. */
  readonly startedAtMs: number;
  readonly version: string;
  readonly workers: number;
  /** Asked at each renewal. */
  readonly status: () => { readonly sessions: number; readonly lagSeconds: number | null };
  /** The uid of the node that answers at an address; never rejects. */
  readonly probe: (address: string) => Promise<string | undefined>;
  /**
   * The nodes that live, by id, this one among them once its id is claimed; called whenever anything of it has changed, before {@link Membership.start}
   * resolves at first. `complete`: a node that is not among them lives no more; else that is not known, because Redis is away or has been back for less than a
   * lease.
   */
  readonly onNodes: (nodes: readonly FleetNode[], complete: boolean) => void;
  /** The id belongs to another node, which has started before this one: this one must end. Called once at most. */
  readonly onYield: (error: Error) => void;
  readonly log: Logger;
  /** Monotonic, in ms. */
  readonly now: () => number;
}

const START_RETRY_MS = 100;
const RETRY_MS = 500;
/** A holder that renews is noticed after a third of its lease; while its lease is watched, this often. */
const WATCHES_A_LEASE = 6;
const MIN_PAUSE_MS = 100;
const RELEASE_TIMEOUT_MS = 2000;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #store: LeaseStore;
  readonly #stopping = new AbortController();
  #contest: LeaseContest;
  /** A holder of our id that was looked for in vain. */
  #vacated: string | undefined;
  #id: number | undefined;
  #claimed = false;
  #failing = false;
  #address: string | null = null;
  #nodes: readonly FleetNode[] = [];
  #complete = false;
  /** Since when the lease has been renewed without a break. */
  #unbrokenSinceMs = Infinity;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #roundAtMs = -Infinity;
  #again = false;
  /** Of the next round's end. */
  #waiting: (() => void)[] = [];

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#store = new LeaseStore(options.redis, options.keyPrefix);
    this.#contest = new LeaseContest(options.probe);
  }

  /** Whether Redis knew us under our id when it was last asked. */
  get claimed(): boolean {
    return this.#claimed;
  }

  /** As given to `onNodes`. */
  get nodes(): readonly FleetNode[] {
    return this.#nodes;
  }

  /** As given to `onNodes`. */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Claims an id, and keeps it until {@link stop}. A fixed id whose last holder is gone, but has its lease yet, is waited for: as long as that holds.
   *
   * @param timeoutMs how long Redis may be away; then the node starts under its fixed id, or a random one, and claims it once Redis is there
   * @throws NodeIdError (with the name StartError) where a living node holds the fixed id, or no id is free
   */
  async start(timeoutMs: number): Promise<number> {
    const { nodeId, now, log } = this.#options;
    const deadlineMs = now() + timeoutMs;
    for (;;) {
      try {
        const { id, nodes } = nodeId === null ? await this.#leaseAny() : await this.#claimFixed(nodeId);
        this.#begin(id);
        this.#hold("claimed", nodes);
        return id;
      } catch (error) {
        if (error instanceof NodeIdError || this.#stopping.signal.aborted) throw error;
        if (now() >= deadlineMs) {
          const id = nodeId ?? randomNodeId();
          log.warn({ err: error, id }, "the node's id could not be claimed: it is used all the same");
          this.#failing = true;
          this.#begin(id);
          return id;
        }
        await this.#pause(START_RETRY_MS);
      }
    }
  }

  /** @param address HOST:PORT where the node's siblings reach it from now on */
  announce(address: string): void {
    this.#address = address;
    this.refresh();
  }

  /** Renews and reads the table now, and not at the next turn: when Redis is back, or a node is heard of that is not in the table. */
  refresh(): void {
    if (this.#round === undefined) this.#schedule(0);
    else this.#again = true;
  }

  /** Does that. @returns once it is done or has failed; never rejects */
  refreshed(): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.resolve();
    this.refresh();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives the lease back, if Redis takes it: another node need not wait for its end. */
  async stop(): Promise<void> {
    this.#end("the node's membership has ended");
    const { uid, log } = this.#options;
    const release = async (): Promise<void> => {
      await this.#round;
      if (this.#id !== undefined) await this.#store.release(this.#id, uid);
    };
    const late = new AbortController();
    await Promise.race([
      release().catch((error: unknown) => log.warn({ err: error }, "the node's lease could not be given back")),
      delay(RELEASE_TIMEOUT_MS, undefined, { signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
  }

  async #leaseAny(): Promise<{ id: number; nodes: readonly FleetNode[] }> {
    const { leaseMs, quarantineMs, probe, log } = this.#options;
    const leftOut: number[] = [];
    let vacated: Vacated | undefined;
    for (;;) {
      const claim: AnyClaim = await this.#store.claimAny(this.#record(), { leaseMs, quarantineMs, vacated, leftOut });
      this.#stopping.signal.throwIfAborted();
      if (claim.kind === "full") throw noneFree();
      if (claim.kind === "claimed") {
        if (claim.quarantined)
          log.warn({ id: claim.id }, "every free node id was in use a moment ago: the oldest one is used again");
        return claim;
      }
      const { id, holder } = claim;
      if (holder.address !== null && (await probe(holder.address)) === holder.uid) {
        log.warn({ id, address: holder.address }, "a node without a lease answers: its id is left to it");
        leftOut.push(id);
      } else vacated = { id, uid: holder.uid };
    }
  }

  async #claimFixed(id: number): Promise<{ id: number; nodes: readonly FleetNode[] }> {
    const { log } = this.#options;
    for (;;) {
      const claim = await this.#claim(id, false);
      this.#stopping.signal.throwIfAborted();
      if (claim.kind !== "held") return { id, nodes: claim.nodes };
      const first = this.#vacated === undefined;
      const waitMs = await this.#contend(claim);
      if (waitMs === undefined) throw heldByAnother(id, claim.holder);
      if (first && waitMs > 0)
        log.info({ id, address: claim.holder.address }, "the node id's last holder is gone: its lease is waited for");
      if (waitMs > 0) await this.#pause(waitMs);
    }
  }

  #claim(id: number, running: boolean): Promise<Claim> {
    const { leaseMs } = this.#options;
    return this.#store.claim(id, this.#record(), { leaseMs, running, vacated: this.#vacated });
  }

  /** @returns when to try again, or undefined where the id is the holder's */
  async #contend(held: Held): Promise<number | undefined> {
    const verdict = await this.#contest.judge(held);
    if (verdict.lost) return undefined;
    this.#vacated = verdict.vacated;
    return Math.min(verdict.waitMs, this.#options.leaseMs / WATCHES_A_LEASE);
  }

  #begin(id: number): void {
    this.#id = id;
    this.#schedule(this.#failing ? RETRY_MS : this.#options.leaseMs / 3);
  }

  #schedule(waitMs: number): void {
    if (this.#id === undefined || this.#stopping.signal.aborted) return;
    clearTimeout(this.#timer);
    const pauseMs = this.#roundAtMs + MIN_PAUSE_MS - this.#options.now();
    this.#timer = setTimeout(
      () => {
        this.#roundAtMs = this.#options.now();
        const waiting = this.#waiting;
        this.#waiting = [];
        this.#round = this.#renew().then((nextMs) => {
          this.#round = undefined;
          if (nextMs !== undefined) this.#schedule(this.#again ? 0 : nextMs);
          this.#again = false;
          for (const done of waiting) done();
        });
      },
      Math.max(waitMs, pauseMs),
    );
  }

  /** @returns when to do so again, or undefined where this node has lost its id */
  async #renew(): Promise<number | undefined> {
    const { leaseMs, log, onYield } = this.#options;
    const id = this.#id ?? 0;
    let claim: Claim;
    try {
      claim = await this.#claim(id, true);
    } catch (error) {
      if (!this.#failing) log.warn({ err: error }, "the node's lease could not be renewed: it keeps its id");
      this.#failing = true;
      this.#unbrokenSinceMs = Infinity;
      this.#tell(this.#nodes, false);
      return Math.min(RETRY_MS, leaseMs / 3);
    }
    if (this.#stopping.signal.aborted) return undefined;
    if (claim.kind !== "held") {
      this.#hold(claim.kind, claim.nodes);
      return leaseMs / 3;
    }
    this.#claimed = false;
    this.#unbrokenSinceMs = Infinity;
    this.#tell(this.#nodes, false);
    const waitMs = await this.#contend(claim);
    if (waitMs !== undefined) return waitMs;
    this.#end("the node's id is another's");
    onYield(heldByAnother(id, claim.holder));
    return undefined;
  }

  #hold(kind: "claimed" | "renewed", living: readonly FleetNode[]): void {
    const { now, leaseMs, log } = this.#options;
    if (this.#failing) log.info("the node's id is claimed again");
    // A lease of ours that was not there: so may the others' have been lost.
    if (kind === "claimed" || this.#unbrokenSinceMs === Infinity) this.#unbrokenSinceMs = now();
    this.#failing = false;
    this.#claimed = true;
    this.#vacated = undefined;
    this.#contest = new LeaseContest(this.#options.probe);
    const complete = now() - this.#unbrokenSinceMs >= leaseMs;
    this.#tell(memberTable(this.#nodes, living, complete), complete);
  }

  #tell(nodes: readonly FleetNode[], complete: boolean): void {
    if (complete === this.#complete && JSON.stringify(nodes) === JSON.stringify(this.#nodes)) return;
    this.#nodes = nodes;
    this.#complete = complete;
    this.#options.onNodes(nodes, complete);
  }

  /** No round begins from here on, and nobody waits for one. */
  #end(reason: string): void {
    clearTimeout(this.#timer);
    this.#stopping.abort(new Error(reason));
    for (const done of this.#waiting) done();
  }

  #record(): NodeRecord {
    const { uid, version, workers, startedAtMs, nodeId, status } = this.#options;
    return { uid, address: this.#address, version, workers, ...status(), startedAtMs, fixed: nodeId !== null };
  }

  #pause(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: this.#stopping.signal });
  }
}
