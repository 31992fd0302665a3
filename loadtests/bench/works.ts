/** What is measured: each work with the servers that do it, and how far limpet's cost should be from the recipe's. */
import { measureDrain } from "./drain.js";
import type { Figure } from "./figure.js";
import { measurePolling } from "./polling.js";
import { measureRooms, type RoomsLoad } from "./rooms.js";
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

  const fan: RoomsLoad = {
    ...{ ...oneServer, workers, rooms: 1, members: 1_000, perSecond: 50, messageBytes: 100 },
    ...{ freshPublishes: times(150, 30), publishes: times(400, 75) },
  };
  const lone: RoomsLoad = { ...fan, members: 100, publishes: times(500, 75) };
  const flood: RoomsLoad = {
    ...{ ...oneServer, workers, rooms: 1, members: 100, perSecond: 3_000, messageBytes: 100 },
    ...{ freshPublishes: times(3_000, 1_000), publishes: times(9_000, 2_000) },
  };
  const small: RoomsLoad = {
    ...{ ...oneServer, workers, rooms: 100, members: 2, perSecond: 500, messageBytes: 80 },
    ...{ freshPublishes: times(3_000, 500), publishes: times(3_000, 500) },
  };
  const busy = { perSecond: 2_000, freshPublishes: times(6_000, 1_000), publishes: times(24_000, 2_000) };
  const ownPorts = limpetWithPorts("limpet, own ports");
  const everyServer = quick ? [recipe, limpet] : [recipe, single, bareWs, limpet];

  const deliveries = (name: string, title: string, load: RoomsLoad, sides: readonly Side[]): Work => ({
    ...{ name, title, sides },
    measure: async (side) => {
      const { warm } = await measureRooms(side, load);
      return [{ unit: "µs a delivery", value: warm.cpuMicros / load.members, latency: warm.latency }];
    },
  });
  const publishes = (name: string, title: string, load: RoomsLoad, sides: readonly Side[]): Work => ({
    ...{ name, title, sides },
    measure: async (side) => {
      const { fresh, warm } = await measureRooms(side, load);
      return [
        { unit: "µs a publish, fresh", value: fresh.cpuMicros, latency: fresh.latency },
        { unit: "µs a publish, warm", value: warm.cpuMicros, latency: warm.latency },
        ...(load.withRedis ? [{ unit: "bytes a publish from Redis", value: warm.redisBytes }] : []),
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
    publishes("rooms-2", "100 rooms of 2, 2 workers", small, everyServer),
    publishes("rooms-4", "100 rooms of 2, 4 workers", { ...small, workers: 4 }, [recipe, limpet]),
    publishes("rooms-8", "100 rooms of 2, 8 workers, 500/s", { ...small, workers: 8 }, [recipe, limpet]),
    publishes("rooms-8-busy", "the same at 2,000/s", { ...small, ...busy, workers: 8 }, [recipe, limpet]),
    publishes("redis", "the same over Redis, 500/s", { ...small, workers: 8, withRedis: true }, [recipe, limpet]),
    {
      ...{
        name: "polling",
        title: "polling behind nginx",
        sides: times([recipe, single, limpet, ownPorts], [recipe, limpet]),
      },
      measure: (side) =>
        measurePolling(side, { workers, clients: 50, warmUpCycles: times(20, 5), cycles: times(100, 20) }),
    },
    {
      ...{ name: "handshakes", title: "WebSocket handshakes", sides: [...everyServer, ownPorts] },
      measure: (side) =>
        measureHandshakes(side, { workers, warmUp: times(1_000, 300), sessions: times(3_000, 700), together: 20 }),
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
