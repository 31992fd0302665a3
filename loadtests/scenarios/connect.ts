/** Handshakes at a steady rate: each client connects, says one thing, and goes. */
import exec from "k6/execution";
import type { Options } from "k6/options";
import { Client } from "../lib/client.ts";
import { targetUrl } from "../lib/target.ts";
import { readSettings } from "./catalog.ts";
import { connectionThresholds, countFailure, finished, seed } from "./measures.ts";
import { modeFor } from "./member.ts";

const url = targetUrl();
const settings = readSettings("connect", __ENV);
const wanted = Math.floor((settings.ratePerSecond * settings.durationMs) / 1_000);

export const options: Options = {
  scenarios: {
    connect: {
      executor: "constant-arrival-rate",
      rate: settings.ratePerSecond,
      timeUnit: "1s",
      duration: `${settings.durationMs}ms`,
      preAllocatedVUs: settings.clients,
      gracefulStop: "30s",
    },
  },
  thresholds: {
    ...connectionThresholds(settings),
    // Fewer means that the server, or this machine, did not keep up with the rate.
    load_finished: [`count>=${Math.floor(wanted * 0.98)}`],
    dropped_iterations: [`count<=${Math.ceil(wanted * 0.02)}`],
  },
  // Each client comes over a connection of its own, as from another machine.
  noVUConnectionReuse: true,
};

export function setup(): void {
  seed();
}

export default async function connectAndGo(): Promise<void> {
  const mode = modeFor(settings.transport, exec.scenario.iterationInTest);
  const socket = new Client(url, { transport: mode }).socket();
  try {
    await socket.connect();
  } catch (error) {
    countFailure("connect", error);
    return;
  }
  try {
    await socket.emitWithAck("echo", "hello");
    finished.add(1);
  } catch (error) {
    countFailure("echo", error);
  }
  socket.disconnect();
}
