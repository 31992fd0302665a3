/** One node's bus without a node: its log is a list, its sessions are a map. */
import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { Bus } from "../../src/bus/bus.js";
import type { StoreOutcome } from "../../src/bus/session-store.js";
import { parseRedisUrl } from "../../src/lib/redis-url.js";
import { encodeEvent } from "../../src/link/payload.js";
import { tagOf, type Claim } from "../../src/recovery/claim.js";
import type { LoggedEvent } from "../../src/recovery/log-entry.js";
import type { SessionRecord } from "../../src/recovery/session-record.js";
import type { Scope } from "../support/children.js";
import { waitFor } from "../support/wait.js";

export interface BusSide {
  readonly bus: Bus;
  readonly sessions: NonNullable<Bus["sessions"]>;
  readonly tag: string;
  /** What the stream has shown of other nodes. */
  readonly logged: LoggedEvent[];
  /** Own positions with their ids in the stream. */
  readonly placed: (readonly [pos: number, streamId: string])[];
  /** What others may take; a release takes it out. */
  readonly kept: Map<string, SessionRecord>;
  readonly released: (readonly [pid: string, generation: number])[];
  /** What owners have said that were not waited for any longer. */
  readonly late: (readonly [record: SessionRecord, generation: number])[];
  readonly outcomes: StoreOutcome[];
  /** Answers a release; else what is kept does at once. */
  onRelease: ((pid: string) => Promise<SessionRecord | undefined>) | undefined;
  /** Publishes an event to a room as worker 1 does, and logs it at the next position. */
  publish(room: string, ...args: unknown[]): void;
}

export interface BusSideOptions {
  readonly retentionMs?: number;
  readonly maxHistoryBytes?: number;
}

export async function startBusSide(scope: Scope, redisUrl: string, options: BusSideOptions = {}): Promise<BusSide> {
  const place = parseRedisUrl(redisUrl);
  if (place === undefined) throw new Error(`no URL of Redis: ${redisUrl}`);
  const uid = randomUUID();
  const [logged, placed, released, outcomes]: [LoggedEvent[], [number, string][], [string, number][], StoreOutcome[]] =
    [[], [], [], []];
  const kept = new Map<string, SessionRecord>();
  const late: [SessionRecord, number][] = [];
  let floor: string | undefined;
  let pos = 0;
  const bus = new Bus({
    uid,
    settings: {
      place,
      username: undefined,
      password: undefined,
      sentinelPassword: undefined,
      tls: { ca: undefined, cert: undefined, key: undefined, verify: true },
    },
    stream: "socket.io",
    channelPrefix: "socket.io",
    keyPrefix: "limpet:",
    gatherMs: 0,
    bundles: true,
    maxOutboxBytes: 1 << 26,
    maxEntryBytes: 1 << 24,
    retentionMs: options.retentionMs ?? 300_000,
    stallTimeoutMs: 5_000,
    local: {
      deliver: ({ logged: event }) => {
        if (event !== undefined) logged.push(event);
        return [];
      },
      answer: () => undefined,
      settle: () => undefined,
      isOpen: () => true,
      passOver: () => false,
    },
    recovery: {
      log: {
        logged: (event) => logged.push(event),
        placed: (at, id) => placed.push([at, id]),
        reached: (id) => (floor ??= id),
      },
      local: {
        get streamFloor() {
          return floor;
        },
        records: () => kept.values(),
        release: async (pid, generation) => {
          released.push([pid, generation]);
          if (side.onRelease !== undefined) return side.onRelease(pid);
          const record = kept.get(pid);
          kept.delete(pid);
          return Promise.resolve(record);
        },
        releasedLate: (record, generation) => late.push([record, generation]),
      },
      keptMs: 60_000,
      releaseTimeoutMs: 500,
      maxSessions: 10_000,
      maxHistoryBytes: options.maxHistoryBytes ?? 1 << 26,
      onOutcome: (outcome) => outcomes.push(outcome),
      isGone: () => false,
    },
    counters: { dropped: () => undefined, skipped: () => undefined, gap: () => undefined },
    onReady: () => undefined,
    log: pino({ level: "silent" }),
    now: () => performance.now(),
  });
  scope.after(() => bus.stop());
  bus.opened("/");
  void bus.start(10_000);
  await waitFor(() => bus.state.up);
  const { sessions } = bus;
  if (sessions === undefined) throw new Error("a bus without sessions");
  const side: BusSide = {
    bus,
    sessions,
    tag: tagOf(uid),
    logged,
    placed,
    kept,
    released,
    late,
    outcomes,
    onRelease: undefined,
    publish: (room, ...args) => {
      const list = JSON.stringify(args);
      const opts = { rooms: [room], except: [], flags: {} };
      const event = { bytes: Buffer.byteLength(list), except: [], flags: {} };
      const message = { t: "publish", nsp: "/", type: 3, rooms: [room], bin: false, to: "members", event } as const;
      pos++;
      bus.publish(1, { ...message, seq: pos }, Buffer.from(encodeEvent(list, "/", opts)), pos);
    },
  };
  return side;
}

export const claimOf = (tag: string, more: Partial<Claim> = {}): Claim => ({
  tag,
  pos: 0,
  wid: 1,
  seq: 0,
  streamId: undefined,
  ...more,
});

export function recordOf(tag: string, pid: string, more: Partial<SessionRecord> = {}): SessionRecord {
  const since = claimOf(tag);
  return {
    nsp: "/",
    pid,
    id: `id-${pid}`,
    generation: 1,
    rooms: [[`id-${pid}`, since]],
    data: Buffer.from("data"),
    since,
    life: undefined,
    former: [],
    ...more,
  };
}
