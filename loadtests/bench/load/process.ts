/** A process of its own that is the servers' clients, so that what they cost is not the servers'. Told over IPC what to do, one task after the other. */
import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "../../../test/support/wait.js";
import { PollingClient } from "./polling-client.js";
import { ReturningSession } from "./returning-session.js";
import { Session } from "./session.js";
import type { Answer, Latency, OpenOptions, Order, PublishOptions, RoomsOptions, Tasks } from "./tasks.js";

const DELIVERY_MS = 60_000;
const RETURN_MS = 120_000;
/** Members of one room that join at the same time. */
const JOIN_TOGETHER = 50;
/** Of so many events the time of one is looked at. */
const SAMPLE_EVERY = 16;
/** A message without its padding, about. */
const MESSAGE_FRAME_BYTES = 40;
const TIME_MARK = '"t":';

let rooms: Session[][] = [];
let sessions: Session[] = [];
let returning: ReturningSession[] = [];
let clients: PollingClient[] = [];
let heard = 0;
let delaysMs: number[] = [];

function onEvent(bytes: Buffer, start: number, end: number): void {
  if (heard++ % SAMPLE_EVERY !== 0) return;
  const at = bytes.indexOf(TIME_MARK, start, "latin1") + TIME_MARK.length;
  delaysMs.push(performance.now() - Number.parseFloat(bytes.toString("latin1", at, Math.min(at + 20, end))));
}

const tasks: Tasks = {
  openRooms: async ({ ports, rooms: count, members }: RoomsOptions) => {
    rooms = [];
    for (let n = 0; n < count; n++) {
      const join = async (member: number): Promise<Session> => {
        const port = ports[member % ports.length] ?? 0;
        const session = await Session.open({ port, onEvent });
        sessions.push(session);
        await session.join(roomName(n));
        return session;
      };
      rooms.push(await inGroups(members, JOIN_TOGETHER, join));
    }
  },

  publish: async ({ publishes, perSecond, messageBytes }: PublishOptions) => {
    heard = 0;
    delaysMs = [];
    let wanted = 0;
    const padding = "x".repeat(Math.max(0, messageBytes - MESSAGE_FRAME_BYTES));
    const startedAt = performance.now();
    for (let n = 0; n < publishes; n++) {
      const room = n % rooms.length;
      const members = rooms[room] ?? [];
      wanted += members.length;
      members[Math.floor(n / rooms.length) % members.length]?.publish(roomName(room), {
        t: performance.now(),
        padding,
      });
      const aheadMs = startedAt + (1_000 * (n + 1)) / perSecond - performance.now();
      if (aheadMs > 1) await delay(aheadMs);
    }
    const message = (): string => `${wanted} deliveries; there were ${heard}`;
    await waitFor(() => heard >= wanted, { timeoutMs: DELIVERY_MS, message });
    return latencyOf(delaysMs);
  },

  openSessions: async ({ ports, count, together, from = [] }: OpenOptions) => {
    const tookMs: number[] = [];
    await inGroups(count, together, async (n) => {
      const startedAt = performance.now();
      const address = from[n % from.length];
      const port = ports[n % ports.length] ?? 0;
      sessions.push(await Session.open({ port, ...(address === undefined ? {} : { from: address }) }));
      tookMs.push(performance.now() - startedAt);
    });
    return latencyOf(tookMs);
  },

  openReturning: async ({ ports, count, together, from = [] }: OpenOptions) => {
    const tookMs: number[] = [];
    returning = await inGroups(count, together, async (n) => {
      const startedAt = performance.now();
      const address = from[n % from.length];
      const port = ports[n % ports.length] ?? 0;
      const session = await ReturningSession.open({ port, ...(address === undefined ? {} : { from: address }) });
      tookMs.push(performance.now() - startedAt);
      return session;
    });
    return latencyOf(tookMs);
  },

  comeBack: async () => {
    const message = (): string =>
      `${returning.length} sessions; ${returning.filter(({ isBack }) => isBack).length} are back`;
    await waitFor(() => returning.every(({ isBack }) => isBack), { timeoutMs: RETURN_MS, message });
    return {
      recovered: returning.filter(({ isRecovered }) => isRecovered).length,
      refused: returning.reduce((sum, { refused }) => sum + refused, 0),
      latency: latencyOf(returning.map(({ awayMs }) => awayMs)),
    };
  },

  openPolling: async ({ port, clients: count }) => {
    clients = await inGroups(count, JOIN_TOGETHER, () => PollingClient.open(port));
  },

  echo: async ({ cycles }) => {
    const tookMs: number[] = [];
    await Promise.all(
      clients.map(async (client) => {
        for (let n = 0; n < cycles; n++) {
          const startedAt = performance.now();
          await client.echo();
          tookMs.push(performance.now() - startedAt);
        }
      }),
    );
    return latencyOf(tookMs);
  },

  closeAll: () => {
    for (const client of [...sessions, ...returning, ...clients]) client.close();
    sessions = [];
    returning = [];
    clients = [];
    rooms = [];
    return Promise.resolve();
  },
};

const roomName = (n: number): string => `room ${n}`;

async function inGroups<T>(count: number, together: number, open: (n: number) => Promise<T>): Promise<T[]> {
  const opened: T[] = [];
  for (let n = 0; n < count; n += together) {
    const group = Array.from({ length: Math.min(together, count - n) }, (_, i) => open(n + i));
    opened.push(...(await Promise.all(group)));
  }
  return opened;
}

function latencyOf(valuesMs: readonly number[]): Latency {
  const sorted = [...valuesMs].sort((a, b) => a - b);
  const quantile = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}

async function carryOut({ task, options }: Order): Promise<Answer> {
  try {
    return { result: await (tasks[task] as (options: unknown) => Promise<unknown>)(options) };
  } catch (error) {
    return { error: `${task}: ${(error as Error).message}` };
  }
}

process.on("message", (order: Order) => {
  void carryOut(order).then((answer) => process.send?.(answer));
});
process.on("disconnect", () => process.exit());
process.send?.({ result: "ready" } satisfies Answer);
