/** What a node without members spends on the stream that the other nodes write, beside a bare loop of XREAD that reads the same entries. */
import { once } from "node:events";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { exitOf, killGroup, startGroup } from "../../test/support/children.js";
import { root } from "../../test/support/node.js";
import { treeCpuMs } from "../../test/support/process-cpu.js";
import { startRedis } from "../../test/support/redis.js";
import { within } from "../../test/support/wait.js";
import { limpet } from "./sides.js";
import type { WriteOrder } from "./fleet-writer.js";

export interface ReaderLoad {
  readonly workers: number;
  /** Entries a second, one run for each. */
  readonly rates: readonly number[];
  readonly forMs: number;
}

export interface ReaderCost {
  readonly perSecond: number;
  /** CPU for each entry, in µs: the node's whole process tree, without what it spends when nothing is written. */
  readonly limpetMicros: number;
  /** Of one process that does nothing else. */
  readonly bareMicros: number;
}

const STREAM = "socket.io";
const START_MS = 30_000;
/** Entries that both read before the measuring, at the highest rate: their code is compiled then. */
const WARM_UP_ENTRIES = 10_000;
/** V8 tidies up for some 20 s after the warm-up, on threads of its own, and in no measure to what is read then. */
const SETTLING_MS = 60_000;
const CALM_MS = 4_000;
/** What both spend in so long differs by less than this from one time to the next when they have settled. */
const CALM_CPU_MS = 15;
/** An entry is read by then, once it is written. */
const READ_MS = 500;

/** Both read at the same time, so that whatever else the machine does hits both. */
export async function measureReaders({ workers, rates, forMs }: ReaderLoad): Promise<ReaderCost[]> {
  const undo: (() => Promise<void>)[] = [];
  try {
    const redis = await startRedis();
    undo.push(() => redis.stop());
    const node = await limpet.start({ workers, redis });
    undo.push(() => node.stop());
    const bare = await startProcess(["fleet-bare-reader.mjs", String(redis.port), STREAM]);
    undo.push(bare.stop);
    const writer = await startProcess(["fleet-writer.ts", redis.url, STREAM]);
    undo.push(writer.stop);

    const cpu = (): { node: number; bare: number } => ({ node: treeCpuMs(node.pid), bare: treeCpuMs(bare.pid) });
    const during = async (run: () => Promise<unknown>): Promise<{ node: number; bare: number; forMs: number }> => {
      const [before, startedAt] = [cpu(), performance.now()];
      await run();
      const after = cpu();
      return {
        node: after.node - before.node,
        bare: after.bare - before.bare,
        forMs: performance.now() - startedAt,
      };
    };
    const write = async (order: WriteOrder): Promise<void> => {
      const written = once(writer.child, "message");
      writer.child.send(order);
      await within(written, forMs + START_MS, `${order.entries} entries to be written`);
      await delay(READ_MS);
    };

    await write({ perSecond: Math.max(...rates), entries: WARM_UP_ENTRIES });
    for (let calm = 0, last = NaN, waitedMs = 0; calm < 2 && waitedMs < SETTLING_MS; waitedMs += CALM_MS) {
      const { node, bare } = await during(() => delay(CALM_MS));
      calm = Math.abs(node + bare - last) < CALM_CPU_MS ? calm + 1 : 0;
      last = node + bare;
    }
    const idle = await during(() => delay(forMs));
    const costs: ReaderCost[] = [];
    for (const perSecond of rates) {
      const entries = (perSecond * forMs) / 1_000;
      const spent = await during(() => write({ perSecond, entries }));
      const micros = (who: "node" | "bare"): number =>
        (1_000 * (spent[who] - (idle[who] * spent.forMs) / idle.forMs)) / entries;
      costs.push({ perSecond, limpetMicros: micros("node"), bareMicros: micros("bare") });
    }
    return costs;
  } finally {
    for (const end of undo.reverse()) await end();
  }
}

/** Of this folder; resolves with its first word. */
async function startProcess([file = "", ...args]: readonly string[]): Promise<{
  readonly pid: number;
  readonly child: ReturnType<typeof startGroup>;
  readonly stop: () => Promise<void>;
}> {
  const child = startGroup(process.execPath, ["--import", "tsx", path.join(import.meta.dirname, file), ...args], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
    cwd: root,
  });
  const stop = async (): Promise<void> => {
    killGroup(child.pid);
    await exitOf(child, START_MS, file);
  };
  const words = [once(child, "message"), ...(child.stdout === null ? [] : [once(child.stdout, "data")])];
  try {
    await within(Promise.race(words), START_MS, `${file} to be ready`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid, child, stop };
}
