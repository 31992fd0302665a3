/** A worker with many sessions goes, and a new one takes its place: how long it is until the last client has its session back. */
import { withUndo, type Figure } from "./figure.js";
import { Load } from "./load/load.js";
import { ADDRESSES } from "./sessions.js";
import type { Side } from "./sides.js";

export interface DrainLoad {
  readonly sessions: number;
  readonly together: number;
}

const LOADS = 2;

/** The one worker is replaced by a reload: a signal to a worker itself is not heard, for a supervisor of services sends it to all processes at once. */
export async function measureDrain(side: Side, load: DrainLoad): Promise<Figure[]> {
  return await withUndo(async (undo) => {
    const server = await side.start({ workers: 1 });
    undo.push(() => server.stop());
    const crowds: Load[] = [];
    for (let n = 0; n < LOADS; n++) {
      const crowd = await Load.start();
      undo.push(() => crowd.stop());
      crowds.push(crowd);
    }
    const share = {
      ports: [server.port],
      count: load.sessions / LOADS,
      together: load.together / LOADS,
      from: ADDRESSES,
    };
    await Promise.all(crowds.map((crowd) => crowd.run("openReturning", share)));
    const startedAt = performance.now();
    process.kill(server.pid, "SIGHUP");
    const returns = await Promise.all(crowds.map((crowd) => crowd.run("comeBack")));
    const seconds = (performance.now() - startedAt) / 1_000;
    const sum = (of: (one: (typeof returns)[number]) => number): number =>
      returns.reduce((total, one) => total + of(one), 0);
    const latency = {
      p50Ms: Math.max(...returns.map((one) => one.latency.p50Ms)),
      p99Ms: Math.max(...returns.map((one) => one.latency.p99Ms)),
    };
    return [
      { unit: "s from the signal to the last one back", value: seconds, latency },
      { unit: "sessions recovered", value: sum(({ recovered }) => recovered) },
      { unit: "refused attempts", value: sum(({ refused }) => refused) },
    ];
  });
}
