/** The fleet that is soaked: a Redis and three nodes of its own, which can be hit, and are watched for what nobody did to them. */
import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { freePort } from "../../test/support/free-port.js";
import { startNode, type TestNode } from "../../test/support/node.js";
import { startRedis, type TestRedis } from "../../test/support/redis.js";
import { waitFor } from "../../test/support/wait.js";

export const NODES = 3;
const WORKERS = 2;
const COLLECT = pathToFileURL(path.join(import.meta.dirname, "collect.mjs")).href;
/** Nodes with these places have a fixed id; the others lease one. The first is never killed: its memory is seen over the whole run. */
const FIXED_IDS: readonly (number | undefined)[] = [1, 2, undefined];
const READY_MS = 60_000;
/** A connection by way of a node that was killed ends by then. */
const AFTERMATH_MS = 15_000;
/** What it has acknowledged is with the kernel, and so outlives it. */
const REDIS_FLAGS = ["--appendonly", "yes", "--appendfsync", "everysec"];

export interface FleetOptions {
  readonly app: string;
  readonly retentionMs: number;
}

interface Place {
  readonly port: number;
  /** Undefined while it is down. */
  node: TestNode | undefined;
  killedAtMs: number;
  /** By process id, once it is ready. */
  processes: Map<number, string>;
}

export class SoakFleet {
  readonly #options: FleetOptions;
  readonly #redis: TestRedis;
  readonly #folder: string;
  readonly #places: readonly Place[];
  #redisPid: number | undefined;
  #nextVictim = 1;
  readonly #faults = new Set<string>();

  private constructor(options: FleetOptions, redis: TestRedis, folder: string, ports: readonly number[]) {
    this.#options = options;
    this.#redis = redis;
    this.#folder = folder;
    this.#redisPid = redis.pid;
    this.#places = ports.map((port) => ({ port, node: undefined, killedAtMs: -Infinity, processes: new Map() }));
  }

  static async start(options: FleetOptions): Promise<SoakFleet> {
    const folder = mkdtempSync(path.join(tmpdir(), "limpet-soak-"));
    const redis = await startRedis(undefined, { dir: folder, args: REDIS_FLAGS });
    const ports: number[] = [];
    while (ports.length < NODES) ports.push(await freePort());
    const fleet = new SoakFleet(options, redis, folder, ports);
    try {
      for (const place of fleet.#places.keys()) await fleet.#startNode(place);
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  get ports(): readonly number[] {
    return this.#places.map(({ port }) => port);
  }

  /** What happened that nobody did, in words. */
  get faults(): readonly string[] {
    return [...this.#faults];
  }

  /** Processes that should run now, with their names. */
  get processes(): ReadonlyMap<number, string> {
    const all = new Map(this.#places.flatMap(({ node, processes }) => (node === undefined ? [] : [...processes])));
    if (this.#redisPid !== undefined) all.set(this.#redisPid, "redis");
    return all;
  }

  get up(): string {
    const up = this.#places.filter(({ node }) => node !== undefined).length;
    return `${up} of ${NODES} nodes, redis ${this.#redisPid === undefined ? "down" : "up"}`;
  }

  /** Whether a client of that place (undefined: of the balancer, which may lead by way of any node) is cut for a reason that is known. */
  mayCut(place: number | undefined): boolean {
    const ways = place === undefined ? this.#places : this.#places.slice(place, place + 1);
    return ways.some(({ node, killedAtMs }) => node === undefined || performance.now() - killedAtMs < AFTERMATH_MS);
  }

  /** Kills the next node that is to be killed, and starts it again on its port. */
  async killOne(awayMs: number): Promise<string> {
    const index = this.#nextVictim;
    this.#nextVictim = (index % (NODES - 1)) + 1;
    const place = this.#place(index);
    const { node } = place;
    if (node === undefined) throw new Error(`node ${index + 1} is down already`);
    place.node = undefined;
    place.killedAtMs = performance.now();
    await node.kill();
    await delay(awayMs);
    const startedAt = performance.now();
    await this.#startNode(index);
    return `node ${index + 1} was killed, and is ready ${seconds(startedAt)} after its new start`;
  }

  /** Kills Redis and starts it again, with what it has written down or with nothing. */
  async restartRedis(awayMs: number, empty: boolean): Promise<string> {
    this.#redisPid = undefined;
    await this.#redis.kill();
    await delay(awayMs);
    if (empty) rmSync(path.join(this.#folder, "appendonlydir"), { recursive: true, force: true });
    await this.#redis.start();
    const startedAt = performance.now();
    this.#redisPid = this.#redis.pid;
    await this.untilWhole();
    return `redis was killed, came back ${empty ? "empty" : "with its data"}, and all nodes are on it ${seconds(startedAt)} later`;
  }

  /** Waits until each node is ready and its bus is up. */
  async untilWhole(): Promise<void> {
    const isWhole = async (node: TestNode | undefined): Promise<boolean> =>
      node !== undefined && (await node.metric("limpet_bus_up")) === 1;
    const message = (): string => `the bus of each node to be up; there were ${this.up}`;
    await waitFor(async () => (await Promise.all(this.#places.map(({ node }) => isWhole(node)))).every(Boolean), {
      timeoutMs: READY_MS,
      intervalMs: 100,
      message,
    });
  }

  /** Looks for processes that ended by themselves. */
  async watch(): Promise<void> {
    for (const [pid, name] of this.processes) {
      if (!isRunning(pid)) this.#faults.add(`${name}, process ${pid}, has ended by itself`);
    }
    for (const [index, { node }] of this.#places.entries()) {
      const ended = node?.logs().find(({ msg }) => msg === "worker ended unexpectedly");
      if (ended !== undefined) this.#faults.add(`a worker of node ${index + 1} ended: ${JSON.stringify(ended)}`);
    }
    await this.#checkCounters();
  }

  async stop(): Promise<void> {
    for (const place of this.#places) {
      await place.node?.kill();
      place.node = undefined;
    }
    await this.#redis.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Stops the nodes as a service manager does. */
  async stopNicely(): Promise<void> {
    for (const [index, place] of this.#places.entries()) {
      const { node } = place;
      place.node = undefined;
      const exit = await node?.stop();
      if (exit !== undefined && exit.code !== 0)
        this.#faults.add(`node ${index + 1} ended with ${exit.code ?? exit.signal} when it was stopped`);
    }
  }

  async #startNode(index: number): Promise<void> {
    const { app, retentionMs } = this.#options;
    const place = this.#place(index);
    const id = FIXED_IDS[index];
    const args = ["--port", String(place.port), "--redis", this.#redis.url];
    if (id !== undefined) args.push("--node-id", String(id));
    const env = {
      NODE_OPTIONS: `--max-semi-space-size=1 --import ${COLLECT}`,
      LIMPET_BUS_RETENTION_MS: String(retentionMs),
    };
    const node = await startNode({ app, workers: WORKERS, args, env, readyTimeoutMs: READY_MS });
    const workers = await node.workers();
    place.processes = new Map([
      [node.pid, `node ${index + 1}`],
      ...workers.map(({ pid, slot }): [number, string] => [pid, `node ${index + 1} worker ${slot}`]),
    ]);
    place.node = node;
  }

  /** Nothing that the soak does makes a node drop a message or meet one that it cannot read. */
  async #checkCounters(): Promise<void> {
    for (const [index, { node }] of this.#places.entries()) {
      if (node === undefined) continue;
      const scrape = await node.metrics().catch(() => undefined);
      // It is being killed; one that does not answer while it should is seen by its clients.
      if (scrape === undefined) continue;
      for (const name of ["limpet_bus_dropped_total", "limpet_bus_skipped_total"]) {
        const count = scrape.find(name).reduce((sum, { value }) => sum + value, 0);
        if (count > 0) this.#faults.add(`node ${index + 1} has ${name} ${count}`);
      }
    }
  }

  #place(index: number): Place {
    const place = this.#places[index];
    if (place === undefined) throw new Error(`there is no node ${index + 1}`);
    return place;
  }
}

const seconds = (sinceMs: number): string => `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`;

function isRunning(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch {
    // Gone, or a zombie, which has no program.
    return false;
  }
}
