/** A scenario's stage: servers, a road to them that can break, clients behind it, and publishers that go their own way. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Scope } from "../../support/children.js";
import { startRedis } from "../../support/redis.js";
import { startProxy, type TcpProxy } from "../../support/tcp-proxy.js";
import { allRooms, type CrowdOptions } from "./crowd-messages.js";
import { Crowd } from "./crowd.js";
import { Publisher } from "./publisher.js";
import type { Side, Site } from "./sides.js";
import { Slicer } from "./slicer.js";
import { publishToOthers } from "./third-node.js";
import type { Unicast } from "./verdict.js";

export interface StageOptions {
  readonly nodes: 1 | 2;
  /** Of each node. */
  readonly workers: number;
  /** The node of each publisher, by index. */
  readonly publishers: readonly [number, number];
  /** Where both are on one node: whether on two workers of it, or on one. */
  readonly apart: boolean;
  readonly clients: number;
  /** See {@link CrowdOptions}. */
  readonly spread: number;
  readonly reconnectionDelayMs?: number;
  /** Whether volatile and local events with a string at their end are sent all the while. */
  readonly noise: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

export const TRANSPORTS: CrowdOptions["transports"] = [["websocket"], ["polling"], null];

export interface Stage {
  readonly sites: readonly Site[];
  readonly road: Road;
  /** The clients' end of the road. */
  readonly slicer: Slicer;
  readonly crowd: Crowd;
  readonly publishers: readonly Publisher[];
  /** Publishes so many messages to rooms that nobody is in: another node does, or where there is one alone the first publisher's worker. */
  readonly flood: (count: number) => Promise<void>;
  /** Processes that serve clients and no publisher. */
  readonly victims: () => Set<number>;
  /** What servers had sent to single clients until then. */
  readonly unicasts: (untilMs: number) => Unicast[];
}

export async function setStage(scope: Scope, side: Side, options: StageOptions): Promise<Stage> {
  const ledger = mkdtempSync(path.join(tmpdir(), "limpet-faults-"));
  scope.after(() => rmSync(ledger, { recursive: true, force: true }));
  const { workers, noise } = options;
  const env = {
    ...{ ...options.env, FAULTS_LEDGER: ledger },
    FAULTS_UNICASTS: "1",
    ...(noise && { FAULTS_NOISE: "1" }),
  };
  const redis = options.nodes === 1 ? undefined : await startRedis(scope);
  const sites: Site[] = [];
  for (let id = 1; id <= options.nodes; id++) sites.push(await side.start(scope, { redis, id, workers, env }));

  const road = await Road.build(scope, sites);
  const publishers = await placePublishers(scope, sites, options);
  const slicer = await Slicer.start(scope, road.port);
  const { clients: count, spread, reconnectionDelayMs: delay } = options;
  const url = `http://127.0.0.1:${slicer.port}`;
  const crowd = new Crowd(scope, {
    url,
    count,
    transports: TRANSPORTS,
    spread,
    ...(delay !== undefined && { reconnectionDelayMs: delay }),
  });
  await crowd.home();
  const kept = new Set(publishers.map(({ pid }) => pid));
  return {
    sites,
    road,
    slicer,
    crowd,
    publishers,
    flood: async (count) =>
      redis === undefined ? publishers[0]?.flood(count) : publishToOthers(redis.client(), count),
    victims: () => new Set(crowd.pids.filter((pid) => !kept.has(pid))),
    unicasts: (untilMs) => readLedger(ledger, untilMs),
  };
}

async function placePublishers(
  scope: Scope,
  sites: readonly Site[],
  { publishers: places, apart, spread }: StageOptions,
): Promise<Publisher[]> {
  const placed: Publisher[] = [];
  for (const [i, place] of places.entries()) {
    const taken = places.slice(0, i).includes(place) ? placed[0]?.pid : undefined;
    const fits = (pid: number): boolean => taken === undefined || (apart ? pid !== taken : pid === taken);
    const target = { url: sites[place]?.url ?? "", name: `publisher-${i}`, rooms: allRooms(spread) };
    placed.push(await Publisher.on(scope, target, fits));
  }
  return placed;
}

/** The clients' way to the servers. */
export class Road {
  readonly #proxy: TcpProxy;
  readonly #way: { next: () => number };

  private constructor(proxy: TcpProxy, way: { next: () => number }) {
    this.#proxy = proxy;
    this.#way = way;
  }

  /** It leads to the first of them. */
  static async build(scope: Scope, [first]: readonly Site[]): Promise<Road> {
    const way = { next: () => first?.port ?? 0 };
    return new Road(await startProxy(() => way.next(), scope), way);
  }

  get port(): number {
    return this.#proxy.port;
  }

  /** New connections lead there from here on. */
  leadTo(site: Site | undefined): void {
    if (site === undefined) throw new Error("no such site");
    this.#way.next = () => site.port;
  }

  /** New connections lead to one after another from here on. */
  leadToAll(sites: readonly Site[]): void {
    let turn = 0;
    this.#way.next = () => sites[turn++ % sites.length]?.port ?? 0;
  }

  /** Passes nothing on over the connections that there are, and leaves them open. */
  stall(): void {
    const present = new Set(this.#proxy.links());
    this.#proxy.stall((link) => present.has(link));
  }

  resume(): void {
    this.#proxy.resume();
  }

  /** Breaks every connection, until it is opened again. */
  close(): void {
    this.#proxy.cut();
  }

  open(): void {
    this.#proxy.heal();
  }
}

/** Lines of `NUMBER SOCKET_ID TIME`, a file for each process. */
function readLedger(folder: string, untilMs: number): Unicast[] {
  return readdirSync(folder).flatMap((file) =>
    readFileSync(path.join(folder, file), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" "))
      .filter(([, , atMs]) => Number(atMs) <= untilMs)
      .map(([n, socketId = ""]) => ({ pid: Number(file), n: Number(n), socketId })),
  );
}
