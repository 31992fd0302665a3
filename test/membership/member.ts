/** Members of a fleet for the tests, each with a connection of its own: what a node is to its siblings, without clients. */
import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { Membership, type MembershipOptions } from "../../src/bus/membership.js";
import type { FleetNode } from "../../src/bus/node-record.js";
import { parseRedisUrl } from "../../src/lib/redis-url.js";
import { connectRedis, type RedisConnection } from "../../src/lib/redis.js";
import type { Scope } from "../support/children.js";
import { waitFor } from "../support/wait.js";

export const LEASES = "test:{fleet}:leases";
export const NODES = "test:{fleet}:nodes";

/** Who answers where. */
export type Network = Map<string, string>;

export interface Member {
  readonly uid: string;
  readonly membership: Membership;
  readonly redis: RedisConnection;
  /** Every table it was told of. */
  readonly tables: {
    readonly ids: readonly number[];
    readonly complete: boolean;
    readonly nodes: readonly FleetNode[];
  }[];
  readonly yields: Error[];
  readonly logs: { readonly msg: string; readonly [field: string]: unknown }[];
  /** Ends it as a crash does: no word to anybody. */
  crash(): void;
}

type Options = Partial<MembershipOptions> & { readonly network?: Network };

export function openRedis(scope: Scope, url: string, onReady = (): void => undefined): RedisConnection {
  const place = parseRedisUrl(url);
  if (place === undefined) throw new Error(`${url} is no URL of Redis`);
  const tls = { ca: undefined, cert: undefined, key: undefined, verify: true };
  const login = { username: undefined, password: undefined, sentinelPassword: undefined };
  const redis = connectRedis({ place, ...login, tls, name: "test", stallTimeoutMs: 5000 }, { onReady });
  scope.after(() => redis.close());
  return redis;
}

export async function readyRedis(scope: Scope, url: string): Promise<RedisConnection> {
  const redis = openRedis(scope, url);
  await waitFor(() => redis.ready, { message: "a connection to Redis" });
  return redis;
}

/** One that is not started yet. Its lease is long enough to live through a crowded machine, unless told otherwise. */
export function newMember(scope: Scope, url: string, { network = new Map(), ...options }: Options = {}): Member {
  const uid = options.uid ?? randomUUID();
  const redis = openRedis(scope, url, () => membership.refresh());
  const tables: Member["tables"] = [];
  const yields: Error[] = [];
  const logs: Member["logs"] = [];
  let crashed = false;
  const membership = new Membership({
    redis,
    keyPrefix: "test:",
    uid,
    nodeId: null,
    leaseMs: 3000,
    quarantineMs: 60_000,
    startedAtMs: Date.now(),
    version: "1.2.3",
    workers: 2,
    status: () => ({ sessions: 0, lagSeconds: 0 }),
    probe: (address) => Promise.resolve(network.get(address)),
    onNodes: (nodes, complete) => tables.push({ ids: nodes.map(({ id }) => id), complete, nodes }),
    onYield: (error) => yields.push(error),
    log: pino({ level: "debug" }, { write: (line: string) => void logs.push(JSON.parse(line) as Member["logs"][0]) }),
    now: () => performance.now(),
    ...options,
  });
  scope.after(async () => {
    if (!crashed) await membership.stop();
  });
  const crash = (): void => {
    crashed = true;
    redis.close();
    void membership.stop();
  };
  return { uid, membership, redis, tables, yields, logs, crash };
}

/** One that has an id, listens at `address` and answers there. */
export async function startMember(
  scope: Scope,
  url: string,
  { address, network = new Map(), ...options }: Options & { readonly address?: string } = {},
): Promise<Member & { readonly id: number }> {
  const member = newMember(scope, url, { network, ...options });
  const id = await member.membership.start(10_000);
  if (address !== undefined) {
    network.set(address, member.uid);
    member.membership.announce(address);
    await waitFor(() => member.membership.nodes.some((node) => node.uid === member.uid && node.address === address));
  }
  return { ...member, id };
}

/** Until the table of each holds exactly these ids. */
export async function tablesHold(
  members: readonly Member[],
  ids: readonly number[],
  timeoutMs = 10_000,
): Promise<void> {
  const wanted = [...ids].sort((a, b) => a - b).join();
  const tables = (): string[] => members.map(({ membership }) => membership.nodes.map(({ id }) => id).join());
  const message = (): string => `tables of ${wanted}; there were ${tables().join(" | ")}`;
  await waitFor(() => tables().every((table) => table === wanted), { timeoutMs, message });
}
