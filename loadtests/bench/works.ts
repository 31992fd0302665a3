/** What is measured: each work with the servers that do it, and how far limpet's cost should be from the recipe's. */
import { measureDrain } from "./drain.js";
import type { Figure } from "./figure.js";
import { measurePolling } from "./polling.js";
import { measureRooms, type Pace, type RoomsLoad } from "./rooms.js";
import { measureHandshakes, measureMemory } from "./sessions.js";
import { bareWs, limpet, limpetThatDrains, limpetWith, limpetWithPorts, recipe, single, type Side } from "./sides.js";

export interface Work {
  /** As behind `--only`. */
  readonly name: string;
  readonly title: string;
  /** The recipe first. */
  readonly sides: readonly Side[];
  measure(side: Side): Promise<Figure[]>;
}

/** @param quick everything once and short, to see that it runs and where things stand */
export function worksOf(quick: boolean): readonly Work[] {
  const times = <T>(full: T, short: T): T => (quick ? short : full);
  const oneServer = { servers: 1, withRedis: false };
  const workers = 2;

  const pace = (perSecond: number, publishes: number): Pace => ({ perSecond, publishes });
  const fan: RoomsLoad = {
    ...{ ...oneServer, workers, rooms: 1, members: 1_000, messageBytes: 100 },
    ...{ fresh: pace(50, times(150, 30)), warmUp: pace(50, times(250, 30)), warm: [pace(50, times(400, 75))] },
  };
  const lone: RoomsLoad = {
    ...{ ...fan, members: 100 },
    ...{ warmUp: pace(400, times(4_000, 400)), warm: [pace(50, times(500, 75))] },
  };
  const flood: RoomsLoad = {
    ...{ ...fan, members: 100, fresh: pace(3_000, times(3_000, 1_000)) },
    ...{ warmUp: pace(3_000, times(9_000, 1_000)), warm: [pace(3_000, times(9_000, 2_000))] },
  };
  /** As many for each worker, however many there are. */
  const small = (workerCount: number, warm: readonly Pace[]): RoomsLoad => ({
    ...{ ...oneServer, workers: workerCount, rooms: 100, members: 2, messageBytes: 80 },
    ...{ fresh: pace(500, times(3_000, 500)), warmUp: pace(1_500, workerCount * times(5_000, 200)), warm },
  });
  const calm = pace(500, times(5_000, 500));
  const busy = pace(2_000, times(16_000, 2_000));
  const overRedis: RoomsLoad = { ...small(8, [calm]), withRedis: true, warmUp: pace(1_000, times(30_000, 1_500)) };
  const ownPorts = limpetWithPorts("limpet, own ports");
  const everyServer = quick ? [recipe, limpet] : [recipe, single, bareWs, limpet];

  const deliveries = (name: string, title: string, load: RoomsLoad, sides: readonly Side[]): Work => ({
    ...{ name, title, sides },
    measure: async (side) => {
      const { warm } = await measureRooms(side, load);
      return warm.map(({ cpuMicros, latency }) => ({
        unit: "µs a delivery",
        value: cpuMicros / load.members,
        latency,
      }));
    },
  });
  const publishes = (name: string, title: string, load: RoomsLoad, sides: readonly Side[]): Work => ({
    ...{ name, title, sides },
    measure: async (side) => {
      const { fresh, warm } = await measureRooms(side, load);
      return [
        { unit: `µs a publish, fresh, ${load.fresh.perSecond}/s`, value: fresh.cpuMicros, latency: fresh.latency },
        ...warm.map(({ cpuMicros, latency }, n) => ({
          unit: `µs a publish, warm, ${load.warm[n]?.perSecond ?? 0}/s`,
          value: cpuMicros,
          latency,
        })),
        ...(load.withRedis ? [{ unit: "bytes a publish from Redis", value: warm[0]?.redisBytes ?? NaN }] : []),
      ];
    },
  });

  return [
    deliveries("room-1000", "1 room of 1,000, 50/s", fan, [recipe, single, bareWs, limpet]),
    deliveries("room-100", "1 room of 100, 50/s", lone, everyServer),
    deliveries("flood", "1 room of 100, 3,000/s", flood, [
      ...everyServer,
      limpetWith("limpet, 5 ms", "--batch-ms", "5"),
    ]),
    publishes("rooms-2", "100 rooms of 2, 2 workers", small(2, [calm, busy]), everyServer),
    publishes("rooms-8", "100 rooms of 2, 8 workers", small(8, [calm, busy]), [recipe, limpet]),
    publishes("redis", "the same over Redis", overRedis, [recipe, limpet]),
    {
      ...{
        name: "polling",
        title: "polling behind nginx",
        sides: times([recipe, single, limpet, ownPorts], [recipe, limpet]),
      },
      measure: (side) =>
        measurePolling(side, { workers, clients: 50, warmUpCycles: times(300, 5), cycles: times(100, 20) }),
    },
    {
      ...{ name: "handshakes", title: "WebSocket handshakes", sides: [...everyServer, ownPorts] },
      measure: (side) =>
        measureHandshakes(side, { workers, warmUp: times(10_000, 300), sessions: times(4_000, 700), together: 20 }),
    },
    {
      ...{ name: "memory", title: `${times(10_000, 1_500)} idle sessions`, sides: everyServer },
      measure: (side) =>
        measureMemory(side, { workers, sessions: times(10_000, 1_500), together: 100, idleMs: times(5_000, 500) }),
    },
    {
      ...{ name: "drain", title: `a worker with ${times(10_000, 1_500)} sessions goes`, sides: [limpetThatDrains] },
      measure: (side) => measureDrain(side, { sessions: times(10_000, 1_500), together: 100 }),
    },
  ];
}
