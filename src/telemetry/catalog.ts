/**
 * Every metric of limpet's own, once: the objects that count, the table in docs/metrics.md and the dashboard's test all come from here.
 *
 * Labels are bounded sets. Each combination is exported as 0 from the start, so that a rate over the first event is right and a dashboard
 * has a line before anything has happened. Node's own metrics (`process_*`, `nodejs_*`) come from prom-client and are not listed.
 */

import { RECOVERY_OUTCOMES } from "./recovery-outcome.js";

/** A label's values; `null` for one that is bounded by its nature, such as a worker's slot. */
export type LabelValues = readonly string[] | null;

export interface MetricDefinition {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly unit: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** Upper bounds, for histograms. */
  readonly buckets?: readonly number[];
  /** Shown for each process by a `worker` label that the primary adds; all others are summed over the workers. */
  readonly perWorker?: true;
}

const NO_LABELS = {} as const;

/** 0.1 ms to 10 s. */
const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

/** Measured in every process: the workers and the primary. */
export const processCatalog = {
  eventLoopLag: {
    name: "limpet_event_loop_lag_seconds",
    help: "How late a timer of the process ran: one sample for each turn of a timer (every 250 ms, every 500 where the process does little), one large one for a stall.",
    type: "histogram",
    unit: "seconds",
    labels: NO_LABELS,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    perWorker: true,
  },
} as const satisfies Record<string, MetricDefinition>;

/** Counted where it happens: most in the primary, what a worker refuses to send in the worker. */
const hubMessages = {
  name: "limpet_hub_messages_total",
  help: "Messages between workers: received from one, forwarded to one, skipped (a worker without members was spared), dropped (its queue was full), rejected (over a limit).",
  type: "counter",
  unit: "messages",
  labels: { outcome: ["received", "forwarded", "skipped", "dropped", "rejected"] },
} as const satisfies MetricDefinition;

/** Counted where a message turns out to be unreadable. */
const busSkipped = {
  name: "limpet_bus_skipped_total",
  help: "Messages of other servers that could not be read and were passed over.",
  type: "counter",
  unit: "messages",
  labels: NO_LABELS,
} as const satisfies MetricDefinition;

/** Measured in the workers. */
export const workerCatalog = {
  connections: {
    name: "limpet_connections",
    help: "Open Engine.IO sessions by the transport they use now.",
    type: "gauge",
    unit: "sessions",
    labels: { transport: ["polling", "websocket"] },
    perWorker: true,
  },
  sessionsOpened: {
    name: "limpet_sessions_opened_total",
    help: "Engine.IO sessions opened: successful handshakes.",
    type: "counter",
    unit: "sessions",
    labels: NO_LABELS,
  },
  sessionsClosed: {
    name: "limpet_sessions_closed_total",
    help: "Engine.IO sessions closed, by Engine.IO's reason.",
    type: "counter",
    unit: "sessions",
    labels: {
      reason: [
        "transport_close",
        "transport_error",
        "ping_timeout",
        "forced_close",
        "server_close",
        "parse_error",
        "client_error",
        "slow_consumer",
        "other",
      ],
    },
  },
  slowConsumers: {
    name: "limpet_slow_consumers_total",
    help: "Clients that were cut off because too much waited for them, by what there was too much of: bytes, packets, or answers to polls that were not read.",
    type: "counter",
    unit: "sessions",
    labels: { cause: ["bytes", "packets", "unread_answers"] },
  },
  volatileDropped: {
    name: "limpet_volatile_dropped_total",
    help: "Volatile messages that were dropped because their client could not be written to at that moment.",
    type: "counter",
    unit: "messages",
    labels: NO_LABELS,
  },
  clientRefusals: {
    name: "limpet_client_refusals_total",
    help: "What clients sent or caused that was over a bound or no packet: refused, or the session ended (see docs/limits.md).",
    type: "counter",
    unit: "refusals",
    labels: {
      reason: [
        "message_too_long",
        "too_many_packets",
        "too_many_events",
        "event_flood",
        "too_many_rooms",
        "too_many_namespaces",
        "too_many_acks",
        "too_many_attachments",
        "too_deep",
        "invalid_packet",
      ],
    },
  },
  pingTimeouts: {
    name: "limpet_ping_timeouts_total",
    help: "Sessions closed for a missing pong, by cause: the client was silent, or the worker was too late to hear it.",
    type: "counter",
    unit: "sessions",
    labels: { cause: ["client_gone", "server_late"] },
  },
  upgrades: {
    name: "limpet_upgrades_total",
    help: "Transport upgrades from polling that ended, by outcome.",
    type: "counter",
    unit: "upgrades",
    labels: { outcome: ["completed", "failed"] },
  },
  handshakeErrors: {
    name: "limpet_handshake_errors_total",
    help: "Requests that Engine.IO refused, by its error code.",
    type: "counter",
    unit: "requests",
    labels: {
      code: [
        "unknown_transport",
        "unknown_sid",
        "bad_handshake_method",
        "bad_request",
        "forbidden",
        "unsupported_protocol_version",
        "other",
      ],
    },
  },
  entryRefusals: {
    name: "limpet_entry_refusals_total",
    help: "What workers refused that wanted to enter: handshakes on a connection that was used before (over_budget, lagging, full), those of an address with too many sessions (address_sessions, address_rate), and users that limpet.admit did not let in (user_rate).",
    type: "counter",
    unit: "entries",
    labels: { reason: ["over_budget", "lagging", "full", "address_sessions", "address_rate", "user_rate"] },
  },
  rescues: {
    name: "limpet_rescues_total",
    help: "Requests that reached a worker which does not hold their session, by where the owner is and what became of them; one that was forwarded and got no whole answer counts twice.",
    type: "counter",
    unit: "requests",
    labels: { target: ["worker", "node"], outcome: ["forwarded", "gone", "unknown", "loop", "failed"] },
  },
  messagesReceived: {
    name: "limpet_messages_received_total",
    help: "Engine.IO message packets received from clients.",
    type: "counter",
    unit: "messages",
    labels: NO_LABELS,
  },
  messagesSent: {
    name: "limpet_messages_sent_total",
    help: "Engine.IO message packets written to clients.",
    type: "counter",
    unit: "messages",
    labels: NO_LABELS,
  },
  bytesReceived: {
    name: "limpet_bytes_received_total",
    help: "Payload bytes of the message packets received from clients.",
    type: "counter",
    unit: "bytes",
    labels: NO_LABELS,
  },
  bytesSent: {
    name: "limpet_bytes_sent_total",
    help: "Payload bytes of the message packets written to clients.",
    type: "counter",
    unit: "bytes",
    labels: NO_LABELS,
  },
  appErrors: {
    name: "limpet_app_errors_total",
    help: "Errors that the app threw or rejected with and did not handle.",
    type: "counter",
    unit: "errors",
    labels: NO_LABELS,
  },
  checkpointErrors: {
    name: "limpet_checkpoint_errors_total",
    help: "Times that a session's `socket.data` could not be kept for a recovery, by reason; what was kept last stays.",
    type: "counter",
    unit: "sessions",
    labels: { reason: ["unserializable", "too_large"] },
  },
  hubMessages,
  busSkipped,
} as const satisfies Record<string, MetricDefinition>;

/** Measured in the primary. */
export const primaryCatalog = {
  workers: {
    name: "limpet_workers",
    help: "Worker slots by state.",
    type: "gauge",
    unit: "workers",
    labels: { state: ["starting", "ready", "draining", "stopped", "backing_off"] },
  },
  workerRestarts: {
    name: "limpet_worker_restarts_total",
    help: "Workers that ended and are replaced, by cause.",
    type: "counter",
    unit: "workers",
    labels: { cause: ["crash", "hang", "killed", "not_ready"] },
  },
  handoffSeconds: {
    name: "limpet_handoff_seconds",
    help: "From a connection's acceptance to its hand-over to a worker; the wait for its request line is part of it.",
    type: "histogram",
    unit: "seconds",
    labels: NO_LABELS,
    buckets: SECONDS,
  },
  frontRefusals: {
    name: "limpet_front_refusals_total",
    help: "Connections that the primary refused before they reached a worker, by reason.",
    type: "counter",
    unit: "connections",
    labels: {
      reason: [
        "request_line_too_long",
        "request_line_timeout",
        "not_http",
        "overloaded",
        "no_worker",
        "draining",
        "over_budget",
        "lagging",
        "full",
        "address",
      ],
    },
  },
  hubMessages,
  hubQueueBytes: {
    name: "limpet_hub_queue_bytes",
    help: "Bytes that wait for a worker to take them, by its slot: in the primary, and in the other workers as of their last word, a second ago at most.",
    type: "gauge",
    unit: "bytes",
    labels: { worker: null },
  },
  busUp: {
    name: "limpet_bus_up",
    help: "1 while this node writes, reads and is subscribed at Redis, 0 while it is cut off; no series where it has no Redis.",
    type: "gauge",
    unit: "",
    labels: NO_LABELS,
  },
  busLag: {
    name: "limpet_bus_lag_seconds",
    help: "Time that an entry of this node took through the stream and back, or has been taking until now; no series where it has no Redis.",
    type: "gauge",
    unit: "seconds",
    labels: NO_LABELS,
  },
  busOutboxBytes: {
    name: "limpet_bus_outbox_bytes",
    help: "Bytes that wait for Redis; no series where the node has none.",
    type: "gauge",
    unit: "bytes",
    labels: NO_LABELS,
  },
  busDropped: {
    name: "limpet_bus_dropped_total",
    help: "Messages for other nodes that were not taken: the outbox was full, or one was too large.",
    type: "counter",
    unit: "messages",
    labels: { reason: ["outbox_full", "too_large"] },
  },
  busSkipped,
  busGaps: {
    name: "limpet_bus_gaps_total",
    help: "Times that messages of other nodes were lost before this node read them: trimmed, the stream's history changed (a fail-over, an empty restart), or a hole in another node's numbers.",
    type: "counter",
    unit: "gaps",
    labels: { cause: ["trimmed", "rewound", "missing"] },
  },
  recoveries: {
    name: "limpet_recoveries_total",
    help: "Clients that came back for their session, by what became of it: it was recovered, or the client starts anew, with the reason.",
    type: "counter",
    unit: "sessions",
    labels: { outcome: RECOVERY_OUTCOMES },
  },
  recoverySessions: {
    name: "limpet_recovery_sessions",
    help: "Sessions that clients can come back to: of connected ones, and of those that are away; no series where recovery is off.",
    type: "gauge",
    unit: "sessions",
    labels: { state: ["connected", "away"] },
  },
  recoverySessionBytes: {
    name: "limpet_recovery_session_bytes",
    help: "Memory of these sessions, estimated from their rooms and data; no series where recovery is off.",
    type: "gauge",
    unit: "bytes",
    labels: NO_LABELS,
  },
  recoveryLogEntries: {
    name: "limpet_recovery_log_entries",
    help: "Messages that are kept for clients that come back; no series where recovery is off.",
    type: "gauge",
    unit: "messages",
    labels: NO_LABELS,
  },
  recoveryLogBytes: {
    name: "limpet_recovery_log_bytes",
    help: "Memory of these messages, estimated from their size; no series where recovery is off.",
    type: "gauge",
    unit: "bytes",
    labels: NO_LABELS,
  },
  recoveryRefused: {
    name: "limpet_recovery_refused_total",
    help: "Changes of sessions that were not taken: late (the session has gone to another worker since), or over the bounds on sessions.",
    type: "counter",
    unit: "changes",
    labels: { reason: ["late", "bounds"] },
  },
  recoveryWrites: {
    name: "limpet_recovery_writes_total",
    help: "Writes of sessions to Redis, for other nodes: written; refused, because the session is another node's by now; failed, to be tried again; dropped, because too many were waiting or one could not be encoded.",
    type: "counter",
    unit: "writes",
    labels: { outcome: ["written", "refused", "failed", "dropped"] },
  },
  buildInfo: {
    name: "limpet_build_info",
    help: "Always 1: the version of limpet and the number of the node.",
    type: "gauge",
    unit: "",
    labels: { version: null, node: null },
  },
} as const satisfies Record<string, MetricDefinition>;

export interface CataloguedMetric extends MetricDefinition {
  readonly measuredIn: "each process" | "workers" | "primary" | "workers and primary";
}

const shared: ReadonlySet<MetricDefinition> = new Set([hubMessages, busSkipped]);

/** All of them, once, in the order of the documentation. */
export const metricCatalog: readonly CataloguedMetric[] = [
  ...Object.values(workerCatalog).map((definition) => place(definition, "workers")),
  ...Object.values(processCatalog).map((definition) => place(definition, "each process")),
  ...Object.values(primaryCatalog)
    .filter((definition) => !shared.has(definition))
    .map((definition) => place(definition, "primary")),
];

function place(definition: MetricDefinition, measuredIn: CataloguedMetric["measuredIn"]): CataloguedMetric {
  return { ...definition, measuredIn: shared.has(definition) ? "workers and primary" : measuredIn };
}
