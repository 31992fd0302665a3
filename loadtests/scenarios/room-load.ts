/** What smoke, fanout, polling and soak have in common: rooms full of clients, each a VU, talking until the time is up. */
import exec from "k6/execution";
import type { Options } from "k6/options";
import { targetUrl } from "../lib/target.ts";
import { readSettings, type ScenarioName } from "./catalog.ts";
import { finished, roomThresholds, seed } from "./measures.ts";
import { Room } from "./room.ts";

export interface RoomLoad {
  readonly options: Options;
  readonly setup: () => { readonly run: string };
  readonly run: (data: { readonly run: string }) => Promise<void>;
}

/** @throws Error when a setting or the URL is not allowed; k6 then does not start */
export function roomLoad(name: ScenarioName): RoomLoad {
  const url = targetUrl();
  const settings = readSettings(name, __ENV);
  const rooms = Math.ceil(settings.clients / settings.roomSize);
  // Clients do not come all at once, unless the time is short.
  const rampMs = Math.min(settings.durationMs / 4, rooms * 200);

  return {
    options: {
      scenarios: {
        [name]: {
          executor: "per-vu-iterations",
          vus: rooms,
          iterations: 1,
          maxDuration: `${Math.ceil((settings.durationMs + rampMs) / 1_000) + 60}s`,
          gracefulStop: "5s",
        },
      },
      thresholds: roomThresholds(settings, rooms),
      setupTimeout: "10s",
    },
    setup: () => {
      seed();
      // Two runs against one server must not meet in a room.
      return { run: Date.now().toString(36) };
    },
    run: async ({ run }) => {
      const index = exec.vu.idInTest - 1;
      await delay((index / rooms) * rampMs);
      const size = Math.min(settings.roomSize, settings.clients - index * settings.roomSize);
      const room = new Room(url, `${run}-${index}`, settings);
      await room.fill(size);
      const endMs = Date.now() + settings.durationMs;
      let churnAtMs = Date.now() + settings.churnMs;
      while (Date.now() < endMs) {
        await room.publish();
        await delay(settings.intervalMs);
        if (Date.now() < churnAtMs) continue;
        await room.replaceOne();
        churnAtMs = Date.now() + settings.churnMs;
      }
      await room.settle();
      room.close();
      finished.add(1);
    },
  };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
