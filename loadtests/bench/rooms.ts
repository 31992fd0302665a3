/** What a publish to a room costs: CPU of the servers' whole process trees and, where they share one, what Redis sends. */
import { setTimeout as delay } from "node:timers/promises";
import { treeCpuMs } from "../../test/support/process-cpu.js";
import { startRedis, type TestRedis } from "../../test/support/redis.js";
import { withUndo } from "./figure.js";
import { Load } from "./load/load.js";
import type { Latency } from "./load/tasks.js";
import type { Server, Side } from "./sides.js";

export interface Pace {
  readonly publishes: number;
  readonly perSecond: number;
}

export interface RoomsLoad {
  readonly servers: number;
  readonly workers: number;
  readonly rooms: number;
  /** Of each room; they take turns on the servers. */
  readonly members: number;
  /** In processes that have just started. */
  readonly fresh: Pace;
  /** After those, and not in any figure: until V8 has compiled what is used, which goes by how often each process has run it. */
  readonly warmUp: Pace;
  /** In the same processes, one after the other. */
  readonly warm: readonly Pace[];
  readonly messageBytes: number;
  readonly withRedis: boolean;
}

export interface RoomsCost {
  /** For each publish, in µs; Redis is not in it. */
  readonly cpuMicros: number;
  /** That Redis sends for each publish; NaN without one. */
  readonly redisBytes: number;
  readonly latency: Latency;
}

export interface RoomsCosts {
  readonly fresh: RoomsCost;
  /** For each pace. */
  readonly warm: readonly RoomsCost[];
}

/** Joins and timers of the start are through by then. */
const SETTLE_MS = 1_000;

/** @throws Error where a message does not arrive */
export async function measureRooms(side: Side, load: RoomsLoad): Promise<RoomsCosts> {
  return await withUndo(async (undo) => {
    const redis = load.withRedis ? await startRedis() : undefined;
    if (redis !== undefined) undo.push(() => redis.stop());
    const servers: Server[] = [];
    for (let n = 0; n < load.servers; n++) {
      const server = await side.start({ workers: load.workers, ...(redis === undefined ? {} : { redis }) });
      undo.push(() => server.stop());
      servers.push(server);
    }
    const clients = await Load.start();
    undo.push(() => clients.stop());
    const { rooms, members, messageBytes } = load;
    await clients.run("openRooms", { ports: servers.map(({ port }) => port), rooms, members });
    await delay(SETTLE_MS);

    const run = async (pace: Pace): Promise<RoomsCost> => {
      const before = await readCosts(servers, redis);
      const latency = await clients.run("publish", { ...pace, messageBytes });
      const after = await readCosts(servers, redis);
      return {
        cpuMicros: (1_000 * (after.cpuMs - before.cpuMs)) / pace.publishes,
        redisBytes: (after.redisBytes - before.redisBytes) / pace.publishes,
        latency,
      };
    };
    const fresh = await run(load.fresh);
    await clients.run("publish", { ...load.warmUp, messageBytes });
    await delay(SETTLE_MS);
    const warm: RoomsCost[] = [];
    for (const pace of load.warm) warm.push(await run(pace));
    return { fresh, warm };
  });
}

async function readCosts(
  servers: readonly Server[],
  redis: TestRedis | undefined,
): Promise<{ cpuMs: number; redisBytes: number }> {
  return {
    cpuMs: servers.reduce((sum, { pid }) => sum + treeCpuMs(pid), 0),
    redisBytes: redis === undefined ? NaN : await sentBytes(redis),
  };
}

async function sentBytes(redis: TestRedis): Promise<number> {
  const client = redis.client();
  try {
    return Number(/total_net_output_bytes:(\d+)/.exec(await client.info("stats"))?.[1]);
  } finally {
    client.disconnect();
  }
}
