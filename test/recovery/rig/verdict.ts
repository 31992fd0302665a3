/** What became of what was published: counted from what was published and what each client wrote down. */
import type { ClientReport } from "./crowd-messages.js";

export interface Publications {
  readonly name: string;
  /** By room. */
  readonly published: ReadonlyMap<string, readonly number[]>;
}

/** An event that a process has sent to one client. */
export interface Unicast {
  readonly pid: number;
  readonly n: number;
  readonly socketId: string;
}

export interface Tally {
  /** What should have come. */
  readonly due: number;
  readonly missed: number;
  readonly twice: number;
  /** What came behind something that was published later. */
  readonly late: number;
}

export interface Verdict {
  /** Clients that lost a connection. */
  readonly struck: number;
  /** Those of them whose every return was a recovery. */
  readonly recovered: number;
  /** Those of them that had their id, rooms and data each time. */
  readonly intact: number;
  readonly messages: Tally;
  readonly unicasts: Tally;
  readonly gapsMs: readonly number[];
}

export function judge(
  clients: readonly ClientReport[],
  publishers: readonly Publications[],
  unicasts: readonly Unicast[],
): Verdict {
  const struck = clients.filter(({ disconnects }) => disconnects.length > 0);
  const back = struck.filter(({ returns }) => returns.length > 0 && returns.every(({ recovered }) => recovered));
  const sent = groupBy(unicasts, ({ socketId }) => socketId);
  return {
    struck: struck.length,
    recovered: back.length,
    intact: back.filter(({ returns }) => returns.every(({ intact }) => intact)).length,
    messages: sum(clients.flatMap((client) => messagesOf(client, publishers))),
    unicasts: sum(clients.flatMap((client) => unicastsOf(client, sent))),
    gapsMs: clients.flatMap(({ gapsMs }) => gapsMs),
  };
}

const messagesOf = ({ rooms, heard }: ClientReport, publishers: readonly Publications[]): Tally[] =>
  publishers.flatMap(({ name, published }) =>
    rooms.map((room) => tally(published.get(room) ?? [], heard[`${name} ${room}`] ?? [])),
  );

function unicastsOf({ socketIds, unicasts }: ClientReport, sent: ReadonlyMap<string, readonly Unicast[]>): Tally[] {
  const own = groupBy(
    socketIds.flatMap((id) => sent.get(id) ?? []),
    ({ pid }) => String(pid),
  );
  const pids = new Set([...own.keys(), ...Object.keys(unicasts)]);
  return [...pids].map((pid) =>
    tally(
      (own.get(pid) ?? []).map(({ n }) => n),
      unicasts[pid] ?? [],
    ),
  );
}

function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group === undefined) groups.set(keyOf(value), [value]);
    else group.push(value);
  }
  return groups;
}

/** What comes and is not due (published, and never acknowledged) counts where it comes twice or late. */
export function tally(due: readonly number[], came: readonly number[]): Tally {
  const seen = new Set<number>();
  let [twice, late, highest] = [0, 0, -Infinity];
  for (const n of came) {
    if (seen.has(n)) twice++;
    else if (n < highest) late++;
    seen.add(n);
    highest = Math.max(highest, n);
  }
  return { due: due.length, missed: due.filter((n) => !seen.has(n)).length, twice, late };
}

const sum = (tallies: readonly Tally[]): Tally => ({
  due: tallies.reduce((total, { due }) => total + due, 0),
  missed: tallies.reduce((total, { missed }) => total + missed, 0),
  twice: tallies.reduce((total, { twice }) => total + twice, 0),
  late: tallies.reduce((total, { late }) => total + late, 0),
});

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
