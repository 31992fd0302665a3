/**
 * What a fleet costs, beside the documented recipe (Node's cluster, @socket.io/sticky, the Redis Streams adapter) and beside a bare reader of the stream. It starts all
 * that it needs, on loopback, prints tables, and takes some minutes; both sides take turns, and each figure is the median of three.
 *
 *     npm run build && npm run bench:fleet [-- --quick]
 */
import { availableParallelism, loadavg } from "node:os";
import { measureReaders, type ReaderCost } from "./fleet-reader.js";
import { measureRooms, type RoomsCosts, type RoomsLoad } from "./rooms.js";
import { limpet, recipe } from "./sides.js";

const args = process.argv.slice(2);
const quick = args.includes("--quick");
const unknown = args.find((arg) => arg !== "--quick");
if (unknown !== undefined) {
  process.stderr.write(`unknown argument ${unknown}; there is --quick: once instead of three times, and shorter\n`);
  process.exit(1);
}

/** Of each processor: beyond it the figures are another machine's. */
const QUIET = 0.25;
const ROUNDS = quick ? 1 : 3;
const SMALL_ROOMS: RoomsLoad = {
  ...{ servers: 2, workers: 4, rooms: 100, members: 2 },
  fresh: { perSecond: 500, publishes: quick ? 1_000 : 3_000 },
  warmUp: { perSecond: 1_000, publishes: quick ? 2_000 : 40_000 },
  warm: [{ perSecond: 500, publishes: quick ? 1_000 : 5_000 }],
  ...{ messageBytes: 80, withRedis: true },
};
const ONE_ROOM: RoomsLoad = {
  ...{ servers: 1, workers: 8, rooms: 1, members: 8 },
  fresh: { perSecond: 100, publishes: quick ? 200 : 500 },
  warmUp: { perSecond: 500, publishes: quick ? 1_000 : 10_000 },
  warm: [{ perSecond: 100, publishes: quick ? 200 : 500 }],
  ...{ messageBytes: 1_064, withRedis: true },
};
const READERS = { workers: 4, rates: [200, 500, 5_000], forMs: quick ? 4_000 : 10_000 };

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
const digits = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(0));
const spread = (values: readonly number[]): string =>
  values.length === 1
    ? digits(median(values))
    : `${digits(median(values))} (${digits(Math.min(...values))}–${digits(Math.max(...values))})`;

interface Row {
  readonly what: string;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

function print(title: string, other: string, rows: readonly Row[]): void {
  process.stdout.write(`\n${title}\n  ${"".padEnd(46)}${"limpet".padEnd(22)}${other.padEnd(22)}share\n`);
  for (const { what, ours, theirs } of rows) {
    const share = (median(ours) / median(theirs)).toFixed(2);
    process.stdout.write(`  ${what.padEnd(46)}${spread(ours).padEnd(22)}${spread(theirs).padEnd(22)}${share}\n`);
  }
}

async function compareRooms(title: string, load: RoomsLoad): Promise<void> {
  const costs = { limpet: [] as RoomsCosts[], recipe: [] as RoomsCosts[] };
  for (let round = 0; round < ROUNDS; round++) {
    costs.limpet.push(await measureRooms(limpet, load));
    costs.recipe.push(await measureRooms(recipe, load));
  }
  const row = (what: string, of: (costs: RoomsCosts) => number): Row => ({
    what,
    ours: costs.limpet.map(of),
    theirs: costs.recipe.map(of),
  });
  print(title, "the recipe", [
    row("CPU for each publish, fresh processes, µs", ({ fresh }) => fresh.cpuMicros),
    row("CPU for each publish, warm processes, µs", ({ warm }) => warm[0]?.cpuMicros ?? NaN),
    row("bytes that Redis sends for each publish", ({ warm }) => warm[0]?.redisBytes ?? NaN),
  ]);
}

async function compareReaders(title: string): Promise<void> {
  const rounds: ReaderCost[][] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measureReaders(READERS));
  const of = (perSecond: number): ReaderCost[] => rounds.flat().filter((cost) => cost.perSecond === perSecond);
  const rows = READERS.rates.map((perSecond) => ({
    what: `CPU for each entry at ${perSecond} entries/s, µs`,
    ours: of(perSecond).map(({ limpetMicros }) => limpetMicros),
    theirs: of(perSecond).map(({ bareMicros }) => bareMicros),
  }));
  print(title, "bare XREAD loop", rows);
}

const [load = 0] = loadavg();
if (load > QUIET * availableParallelism())
  process.stdout.write(
    `this machine has a load of ${load.toFixed(1)} already: processes that wait for a processor read more at once, which favours whoever reads most often\n`,
  );
await compareRooms("100 rooms of 2 members, spread over two nodes of 4 workers, 500 publishes/s", SMALL_ROOMS);
await compareRooms("A room of 8 members on one node of 8 workers, 1 kB messages, 100 publishes/s", ONE_ROOM);
await compareReaders("A node of 4 workers without members, reading what another node writes");
