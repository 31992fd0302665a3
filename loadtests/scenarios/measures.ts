/** What the scenarios count beside the client's own metrics, and the thresholds that most of them share. */
import { Counter } from "k6/metrics";
import type { Settings } from "./catalog.ts";

/** Members that a published message had to reach. */
export const deliveriesExpected = new Counter("load_deliveries_expected");
export const deliveriesMissing = new Counter("load_deliveries_missing");
export const deliveriesDuplicate = new Counter("load_deliveries_duplicate");
/** Later than one that the same member sent after it. */
export const deliveriesMisordered = new Counter("load_deliveries_misordered");
/** Rooms, or clients where there are none, that came to their end. */
export const finished = new Counter("load_finished");
export const replaced = new Counter("load_members_replaced");
const failures = new Counter("load_failures");

export type Step = "connect" | "echo" | "join" | "publish" | "upgrade";

export function countFailure(step: Step, error: unknown): void {
  failures.add(1, { step });
  console.warn(`${step} failed: ${error instanceof Error ? error.message : String(error)}`);
}

/** To be called once before the load: k6 does not judge a metric without samples, so a run that did nothing would pass. */
export function seed(): void {
  for (const counter of [deliveriesExpected, finished, replaced]) counter.add(0);
}

export type Thresholds = Record<string, string[]>;

export function connectionThresholds({ connectP95Ms }: Settings): Thresholds {
  return {
    load_failures: ["count==0"],
    // A request that fails within a session is one of these. http_req_failed is no measure: of a polling client that
    // leaves, the goodbye may overtake the last poll, which the server then refuses, and rightly so.
    socketio_errors: ["count==0"],
    socketio_connect_time: [`p(95)<${connectP95Ms}`],
    // Only clients end connections here.
    "socketio_disconnects{reason:io_server_disconnect}": ["count==0"],
    "socketio_disconnects{reason:ping_timeout}": ["count==0"],
    "socketio_disconnects{reason:transport_close}": ["count==0"],
    "socketio_disconnects{reason:transport_error}": ["count==0"],
  };
}

export function roomThresholds(settings: Settings, rooms: number): Thresholds {
  return {
    ...connectionThresholds(settings),
    socketio_delivery_time: [`p(99)<${settings.deliveryP99Ms}`],
    load_deliveries_expected: ["count>0"],
    load_deliveries_missing: ["count==0"],
    load_deliveries_duplicate: ["count==0"],
    load_deliveries_misordered: ["count==0"],
    load_finished: [`count==${rooms}`],
  };
}
