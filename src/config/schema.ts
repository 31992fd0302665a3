/**
 * The one schema of the configuration. A key stands here once, with its type, default, bounds and sentence; the file's keys, the
 * `LIMPET_*` variables, the flags, `--help`, the documentation and the `Config` type follow from it.
 */
import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import { z } from "zod";
import { MAX_NODES, MAX_SLOTS } from "../routing/address.js";
import { accessSchema } from "./access-schema.js";
import { clientSchema } from "./client-schema.js";
import { advertiseKey, busSchema, fleetSchema, redisSchema } from "./fleet-schema.js";
import { integerKey, isFile, key, MAX_QUEUE_BYTES, MAX_TIMER_MS, timeKey, type KeyInfo } from "./key.js";
import { recoverySchema } from "./recovery-schema.js";
import { socketioSchema } from "./socketio-schema.js";

/** Half of the slots: a reload starts a full new set beside the old one. */
const MAX_WORKERS = MAX_SLOTS / 2;

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i;
const isHost = (text: string): boolean => isIP(text) !== 0 || (HOST_NAME.test(text) && !/^[\d.]+$/.test(text));

const port = (fallback: number, description: string, flag: KeyInfo["flag"] & {}): z.ZodDefault<z.ZodInt> =>
  integerKey([0, 65_535], fallback, description, { flag, note: "0 picks a free one" });

const host = (fallback: string, description: string, flag: KeyInfo["flag"] & {}): z.ZodDefault<z.ZodString> =>
  key(z.string().refine(isHost).default(fallback), {
    description,
    allowed: "an IP address or a host name, without a port",
    textForm: "text",
    flag,
  });

const WRITE_PATHS = ["turn", "stock"] as const;
const HUB_PATHS = ["direct", "primary"] as const;
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

export const configSchema = z.strictObject({
  app: key(z.string().refine(isFile).nullable().default(null), {
    description: "The app: a JavaScript or TypeScript module whose default export is a function `(io, limpet)`.",
    allowed: "the path of a file, or null for the built-in app",
    textForm: "path",
    defaultText: "the built-in app",
    flag: { group: "App:", placeholder: "file" },
  }),
  port: port(3000, "TCP port the clients connect to.", { group: "Clients:", placeholder: "number" }),
  host: host("0.0.0.0", "Address the clients connect to: 0.0.0.0 is every IPv4 interface, :: those of IPv6 as well.", {
    group: "Clients:",
    placeholder: "address",
  }),
  workers: integerKey(
    [1, MAX_WORKERS],
    () => Math.min(availableParallelism(), MAX_WORKERS),
    "Number of worker processes.",
    {
      defaultText: `one per core, at most ${MAX_WORKERS}`,
      flag: { group: "Processes:", placeholder: "number" },
    },
  ),
  opsPort: port(9464, "TCP port of /metrics, /healthz, /readyz and /workers.", {
    group: "Operations:",
    placeholder: "number",
  }),
  opsHost: host("127.0.0.1", "Address of /metrics, /healthz, /readyz and /workers; they ask for no password.", {
    group: "Operations:",
    placeholder: "address",
  }),
  nodeId: key(
    z
      .int()
      .min(0)
      .max(MAX_NODES - 1)
      .nullable()
      .default(null),
    {
      description: "Number of this node in its fleet; no two nodes may share one.",
      allowed: `an integer from 0 to ${MAX_NODES - 1}, or null for the default`,
      textForm: "integer",
      defaultText: "leased from Redis; 0 without",
      flag: { group: "Fleet:", placeholder: "number" },
    },
  ),
  advertise: advertiseKey,
  slotPorts: key(z.int().min(1).max(65_535).nullable().default(null), {
    description:
      "First of the TCP ports on which each worker can be reached by itself, twice as many as workers, at the clients' host: for a balancer that routes by session id, as `limpet nginx` makes one. Below the system's range for outgoing connections.",
    allowed: "an integer from 1 to 65535, or null for none",
    textForm: "integer",
    flag: { group: "Clients:", placeholder: "number" },
  }),
  log: z.strictObject({
    level: key(z.enum(LOG_LEVELS).default("info"), {
      description: "Least severe level that is logged.",
      allowed: `one of ${LOG_LEVELS.join(", ")}`,
      textForm: "text",
      flag: { group: "Operations:", placeholder: "level" },
    }),
  }),
  front: z.strictObject({
    maxRequestLineBytes: integerKey(
      [256, 1_048_576],
      8192,
      "Longest request line that is routed; beyond it the answer is 414.",
      {
        unit: "bytes",
      },
    ),
    requestLineTimeoutMs: timeKey(1, 10_000, "Longest wait for a complete request line; beyond it the answer is 408."),
    maxPendingHandoffs: integerKey(
      [1, 1_000_000],
      2048,
      "Connections that may wait to be handed to one worker; beyond it the answer is 503.",
    ),
  }),
  access: accessSchema,
  http: z.strictObject({
    headersTimeoutMs: timeKey(1, 20_000, "Longest wait for the whole head of a request, in a worker."),
    requestTimeoutMs: timeKey(1, 120_000, "Longest wait for a whole request, body included."),
    keepAliveTimeoutMs: integerKey(
      [1, 86_400_000],
      75_000,
      "How long an idle connection is kept: longer than the balancer in front keeps it, or requests die on a closing connection.",
      { unit: "ms" },
    ),
  }),
  engine: z.strictObject({
    writePath: key(z.enum(WRITE_PATHS).default("turn"), {
      description:
        "How WebSockets are written to: `turn` writes once for all that one turn of the event loop has for a client, `stock` is Engine.IO's own way.",
      allowed: `one of ${WRITE_PATHS.join(", ")}`,
      textForm: "text",
    }),
    batchMs: integerKey(
      [0, 1000],
      0,
      "How long a packet may wait for others to the same client, and before that an event for others to the same worker; 0: until the turn of the event loop ends, and up to 4 ms after a long writing.",
      { unit: "ms", flag: { name: "--batch-ms", group: "Clients:", placeholder: "ms" } },
    ),
  }),
  client: clientSchema,
  hub: z.strictObject({
    path: key(z.enum(HUB_PATHS).default("direct"), {
      description:
        "How messages pass from worker to worker: `direct` past the primary, where recovery is off and the system is Linux, `primary` always through it.",
      allowed: `one of ${HUB_PATHS.join(", ")}`,
      textForm: "text",
    }),
    maxQueueBytes: integerKey(
      [1024, MAX_QUEUE_BYTES],
      67_108_864,
      "Bytes that may wait for one worker; messages beyond it are dropped and counted.",
      { unit: "bytes" },
    ),
    requestTimeoutMs: timeKey(
      1,
      5000,
      "How long `fetchSockets` and `serverSideEmit` wait for the other workers, where the caller sets no timeout.",
    ),
    maxNamespaces: integerKey(
      [1, 10_000_000],
      20_000,
      "Namespaces a worker may have open at once; clients that ask for more are refused.",
    ),
  }),
  redis: redisSchema,
  bus: busSchema,
  fleet: fleetSchema,
  recovery: recoverySchema,
  drain: z.strictObject({
    deadlineMs: timeKey(0, 25_000, "How long a worker that stops may take to close its clients, one after another."),
    perSecond: key(z.int().min(1).max(1_000_000).nullable().default(null), {
      description:
        "Clients that come back in a second, at most, while a node stops or a reload replaces a worker. They are sent away at 85 % of it: each waits for 0.5 to 1.5 s, as it likes.",
      allowed: "an integer from 1 to 1000000, or null for the default",
      textForm: "integer",
      defaultText: "all within 4/5 of the deadline, 10 at least",
    }),
  }),
  supervisor: z.strictObject({
    readyTimeoutMs: timeKey(1, 60_000, "How long a worker may take from its start to ready."),
    hangTimeoutMs: key(z.int().min(1).max(MAX_TIMER_MS).nullable().default(null), {
      description: "Silence after which a worker counts as hung and is replaced.",
      allowed: `an integer from 1 to ${MAX_TIMER_MS}, in ms, or null for the default`,
      textForm: "integer",
      unit: "ms",
      defaultText: "pingInterval + pingTimeout + 5000",
    }),
    stopTimeoutMs: timeKey(1, 30_000, "How long a worker may take to end before it is killed."),
    semiSpaceMb: key(z.int().min(1).max(1024).nullable().default(4), {
      description:
        "V8's --max-semi-space-size of the workers: sessions that come fast make it grow, and it stays; small saves memory, large saves CPU where many messages pass.",
      allowed: "an integer from 1 to 1024, in MiB, or null for Node's own",
      textForm: "integer",
    }),
  }),
  socketio: socketioSchema,
});
