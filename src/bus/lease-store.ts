/** The leases of the fleet's node ids, as Redis keeps them. */
import type { RedisArgument } from "../lib/redis-command.js";
import type { RedisConnection } from "../lib/redis.js";
import { MAX_NODES } from "../routing/address.js";
import { CLAIM, CLAIM_ANY, LIVING, RELEASE } from "./lease-scripts.js";
import { formatNodeRecord, parseNodeRecord, type FleetNode, type NodeRecord } from "./node-record.js";

/** A node that was looked for at its last address, and not found. */
export interface Vacated {
  readonly id: number;
  readonly uid: string;
}

export interface Held {
  readonly kind: "held";
  readonly holder: NodeRecord;
  /** Until the holder's lease runs out; below 0 where it has. */
  readonly remainingMs: number;
  /** By Redis' clock. */
  readonly expiresAtMs: number;
}

/** `renewed`: it was ours all the time. */
export type Claim = { readonly kind: "renewed" | "claimed"; readonly nodes: readonly FleetNode[] } | Held;

export type AnyClaim =
  | {
      readonly kind: "claimed";
      readonly id: number;
      readonly quarantined: boolean;
      readonly nodes: readonly FleetNode[];
    }
  /** The id is free for the longest time, and this was its last holder, who did not give it back. */
  | { readonly kind: "probe"; readonly id: number; readonly holder: NodeRecord }
  | { readonly kind: "full" };

/** Each call rejects where Redis cannot be asked, or refuses. */
export class LeaseStore {
  readonly #redis: Pick<RedisConnection, "call">;
  readonly #keys: readonly [leases: string, nodes: string];

  /** @param keyPrefix of limpet's own keys; both keys fall into one slot of a cluster */
  constructor(redis: Pick<RedisConnection, "call">, keyPrefix: string) {
    this.#redis = redis;
    this.#keys = [`${keyPrefix}{fleet}:leases`, `${keyPrefix}{fleet}:nodes`];
  }

  /** Those whose lease holds, by id. */
  async living(): Promise<FleetNode[]> {
    return nodesOf(await this.#eval(LIVING));
  }

  /** @param running whether this node has worked under the id already: then it yields to older ones alone */
  async claim(
    id: number,
    record: NodeRecord,
    { leaseMs, running, vacated }: { leaseMs: number; running: boolean; vacated?: string | undefined },
  ): Promise<Claim> {
    const mode = running ? "running" : "starting";
    const reply = listOf(await this.#eval(CLAIM, id, formatNodeRecord(record), leaseMs, mode, vacated ?? ""));
    const [kind, second] = reply;
    if (kind === "renewed" || kind === "claimed") return { kind, nodes: nodesOf(second) };
    const [remainingMs, expiresAtMs] = [Number(reply[2]), Number(reply[3])];
    return { kind: "held", holder: holderOf(second), remainingMs, expiresAtMs };
  }

  /** @param leftOut ids that are free by their lease only */
  async claimAny(
    record: NodeRecord,
    {
      leaseMs,
      quarantineMs,
      vacated,
      leftOut,
    }: { leaseMs: number; quarantineMs: number; vacated?: Vacated | undefined; leftOut: readonly number[] },
  ): Promise<AnyClaim> {
    const found = vacated === undefined ? ["", ""] : [vacated.id, vacated.uid];
    const reply = listOf(
      await this.#eval(CLAIM_ANY, formatNodeRecord(record), leaseMs, quarantineMs, MAX_NODES, ...found, ...leftOut),
    );
    const [kind, id, third, nodes] = reply;
    if (kind === "claimed") return { kind, id: Number(id), quarantined: Number(third) === 1, nodes: nodesOf(nodes) };
    return kind === "probe" ? { kind, id: Number(id), holder: holderOf(third) } : { kind: "full" };
  }

  async release(id: number, uid: string): Promise<void> {
    await this.#eval(RELEASE, id, uid);
  }

  #eval(script: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#redis.call("EVAL", script, this.#keys.length, ...this.#keys, ...args);
  }
}

function listOf(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw new TypeError(`Redis answered a script with ${typeof reply}`);
  return reply;
}

/** Records that nobody can read are left out. */
function nodesOf(reply: unknown): FleetNode[] {
  const flat = listOf(reply);
  const nodes: FleetNode[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const record = parseNodeRecord(String(flat[i + 1]));
    if (record !== undefined) nodes.push({ id: Number(flat[i]), ...record });
  }
  return nodes.sort((a, b) => a.id - b.id);
}

/** A record of another version of limpet may lack what this one knows; its holder is a holder all the same. */
function holderOf(text: unknown): NodeRecord {
  const known = parseNodeRecord(String(text));
  if (known !== undefined) return known;
  const { uid, address, startedAtMs } = JSON.parse(String(text)) as Partial<NodeRecord>;
  return {
    uid: String(uid),
    address: typeof address === "string" ? address : null,
    version: "",
    workers: 0,
    sessions: 0,
    lagSeconds: null,
    startedAtMs: Number(startedAtMs) || 0,
    fixed: true,
  };
}
