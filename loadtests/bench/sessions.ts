/** What sessions over WebSocket cost: CPU to open one, and memory to keep one that does nothing. */
import { setTimeout as delay } from "node:timers/promises";
import { treeCpuMs } from "../../test/support/process-cpu.js";
import { withUndo, type Figure } from "./figure.js";
import { Load } from "./load/load.js";
import { treeResidentKb } from "./resident.js";
import type { Side } from "./sides.js";

export interface HandshakeLoad {
  readonly workers: number;
  readonly warmUp: number;
  readonly sessions: number;
  /** How many open at the same time. */
  readonly together: number;
}

/** How long the end of the sessions of the warm-up may go on. */
const CLOSE_MS = 1_000;

export async function measureHandshakes(side: Side, load: HandshakeLoad): Promise<Figure[]> {
  return await withUndo(async (undo) => {
    const server = await side.start({ workers: load.workers });
    undo.push(() => server.stop());
    const { sessionPorts: ports, pid } = server;
    const clients = await Load.start();
    undo.push(() => clients.stop());
    const { together } = load;
    await clients.run("openSessions", { ports, count: load.warmUp, together });
    await clients.run("closeAll");
    await delay(CLOSE_MS);
    const before = treeCpuMs(pid);
    const latency = await clients.run("openSessions", { ports, count: load.sessions, together });
    return [{ unit: "µs a session", value: (1_000 * (treeCpuMs(pid) - before)) / load.sessions, latency }];
  });
}

export interface MemoryLoad {
  readonly workers: number;
  readonly sessions: number;
  readonly together: number;
  /** How long they have been there when the memory is read. */
  readonly idleMs: number;
}

/** Of loopback: the ports of one address, and the files of one process, are not enough for many sessions. */
export const ADDRESSES = Array.from({ length: 20 }, (_, n) => `127.0.0.${n + 2}`);
const LOADS = 2;

export async function measureMemory(side: Side, load: MemoryLoad): Promise<Figure[]> {
  return await withUndo(async (undo) => {
    const server = await side.start({ workers: load.workers });
    undo.push(() => server.stop());
    const { sessionPorts: ports, pid } = server;
    const before = treeResidentKb(pid);
    const crowds: Load[] = [];
    for (let n = 0; n < LOADS; n++) {
      const crowd = await Load.start();
      undo.push(() => crowd.stop());
      crowds.push(crowd);
    }
    const share = { ports, count: load.sessions / LOADS, together: load.together / LOADS, from: ADDRESSES };
    await Promise.all(crowds.map((crowd) => crowd.run("openSessions", share)));
    await delay(load.idleMs);
    return [{ unit: "KB a session", value: (treeResidentKb(pid) - before) / load.sessions }];
  });
}
