/** For a server that falls silent after the handshake: the client must notice by itself, and in time. */
import { Counter } from "k6/metrics";
import { connect } from "../../loadtests/lib/client.ts";
import type { TransportMode } from "../../loadtests/lib/engine.ts";
import { targetUrl } from "../../loadtests/lib/target.ts";

const url = targetUrl();
const noticed = new Counter("noticed");

export const options = {
  scenarios: {
    silent: { executor: "shared-iterations", vus: 1, iterations: 1, maxDuration: "20s", gracefulStop: "1s" },
  },
  thresholds: {
    noticed: ["count==2"],
    socketio_errors: ["count==2"],
    "socketio_errors{reason:ping_timeout}": ["count==2"],
    "socketio_disconnects{reason:ping_timeout}": ["count==2"],
  },
};

export default async function silent(): Promise<void> {
  noticed.add(0);
  await Promise.all((["polling", "websocket"] as const).map(waitForTheEnd));
}

/** The server announces 400 ms between pings and 300 ms of patience. */
async function waitForTheEnd(transport: TransportMode): Promise<void> {
  const socket = await connect(url, { transport });
  const connectedMs = Date.now();
  const reason = await new Promise<string>((resolve) => {
    socket.on("disconnect", resolve);
  });
  const afterMs = Date.now() - connectedMs;
  // The countdown begins at the handshake, which is a little before the namespace is connected.
  if (reason === "ping_timeout" && afterMs > 500 && afterMs < 2_000) noticed.add(1);
  else console.error(`${transport}: ${reason} after ${afterMs} ms`);
}
