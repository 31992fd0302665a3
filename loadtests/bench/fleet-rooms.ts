/** What a publish to a room costs over Redis: CPU of the servers, and bytes that Redis sends. */
import { setTimeout as delay } from "node:timers/promises";
import { treeCpuMs } from "../../test/support/process-cpu.js";
import { startRedis, type TestRedis } from "../../test/support/redis.js";
import { waitFor } from "../../test/support/wait.js";
import { Member } from "./fleet-member.js";
import type { Server, Side } from "./fleet-sides.js";

export interface RoomsLoad {
  readonly servers: number;
  readonly workers: number;
  readonly rooms: number;
  /** Of each room; they take turns on the servers. */
  readonly members: number;
  readonly publishes: number;
  readonly perSecond: number;
  readonly messageBytes: number;
}

export interface RoomsCost {
  /** CPU of the servers' whole process trees for each publish, in µs; Redis is not in it. */
  readonly cpuMicros: number;
  readonly redisBytes: number;
}

/** Work that the first publishes pay for: code is compiled while they are on their way. */
const SETTLE_MS = 1_000;
const DELIVERY_MS = 30_000;

/**
 * Starts the side's servers and publishes twice.
 *
 * @returns the cost in processes that have just started, and then in the same ones with their code compiled
 * @throws Error where a message does not arrive
 */
export async function measureRooms(side: Side, load: RoomsLoad): Promise<{ fresh: RoomsCost; warm: RoomsCost }> {
  const redis = await startRedis();
  const servers: Server[] = [];
  const members: Member[] = [];
  let heard = 0;
  try {
    for (let n = 0; n < load.servers; n++) servers.push(await side.start(redis, load.workers));
    const publishers: Member[] = [];
    for (let room = 0; room < load.rooms; room++) {
      for (let n = 0; n < load.members; n++) {
        const { port } = servers[n % servers.length] as Server;
        const member = await Member.join(port, `room ${room}`, () => heard++);
        members.push(member);
        if (n === 0) publishers.push(member);
      }
    }
    await delay(SETTLE_MS);
    const run = async (): Promise<RoomsCost> => {
      heard = 0;
      const before = await readCosts(redis, servers);
      await publish(publishers, load);
      const wanted = load.publishes * load.members;
      const message = (): string => `${wanted} deliveries by ${side.name}; there were ${heard}`;
      await waitFor(() => heard >= wanted, { timeoutMs: DELIVERY_MS, message });
      const after = await readCosts(redis, servers);
      return {
        cpuMicros: (1_000 * (after.cpuMs - before.cpuMs)) / load.publishes,
        redisBytes: (after.redisBytes - before.redisBytes) / load.publishes,
      };
    };
    return { fresh: await run(), warm: await run() };
  } finally {
    for (const member of members) member.leave();
    await Promise.all(servers.map((server) => server.stop()));
    await redis.stop();
  }
}

async function publish(publishers: readonly Member[], load: RoomsLoad): Promise<void> {
  const text = "x".repeat(load.messageBytes);
  const startedAt = performance.now();
  for (let n = 0; n < load.publishes; n++) {
    publishers[n % publishers.length]?.publish({ n, text });
    const aheadMs = startedAt + (1_000 * (n + 1)) / load.perSecond - performance.now();
    if (aheadMs > 1) await delay(aheadMs);
  }
}

async function readCosts(redis: TestRedis, servers: readonly Server[]): Promise<{ cpuMs: number; redisBytes: number }> {
  const client = redis.client();
  try {
    const stats = await client.info("stats");
    return {
      cpuMs: servers.reduce((sum, { pid }) => sum + treeCpuMs(pid), 0),
      redisBytes: Number(/total_net_output_bytes:(\d+)/.exec(stats)?.[1]),
    };
  } finally {
    client.disconnect();
  }
}
