/**
 * Socket.IO's and Engine.IO's server options, as far as they can be written down: their names, their defaults (a test compares them
 * with the packages'). Those that cannot be are refused, each with its reason.
 */
import { z } from "zod";
import { booleanKey, integerKey, key, MAX_TIMER_MS, timeKey } from "./key.js";

const stringOrList = z.union([z.string(), z.array(z.string())]);

const corsOptions = z.strictObject({
  origin: z.union([z.boolean(), z.string(), z.array(z.string())]).optional(),
  methods: stringOrList.optional(),
  allowedHeaders: stringOrList.optional(),
  exposedHeaders: stringOrList.optional(),
  credentials: z.boolean().optional(),
  maxAge: z.int().min(0).optional(),
  preflightContinue: z.boolean().optional(),
  optionsSuccessStatus: z.int().min(200).max(299).optional(),
});

const cookieOptions = z.strictObject({
  name: z.string().min(1).default("io"),
  domain: z.string().min(1).optional(),
  path: z.string().min(1).optional(),
  httpOnly: z.boolean().optional(),
  maxAge: z.int().min(0).optional(),
  partitioned: z.boolean().optional(),
  priority: z.enum(["low", "medium", "high"]).optional(),
  sameSite: z.union([z.boolean(), z.enum(["lax", "strict", "none"])]).optional(),
  secure: z.boolean().optional(),
});

const zlibOptions = {
  chunkSize: z.int().min(64).optional(),
  windowBits: z.int().min(8).max(15).optional(),
  level: z.int().min(-1).max(9).optional(),
  memLevel: z.int().min(1).max(9).optional(),
  strategy: z.int().min(0).max(4).optional(),
};
const threshold = z.int().min(0).optional();

const deflateOptions = z.strictObject({
  threshold,
  serverNoContextTakeover: z.boolean().optional(),
  clientNoContextTakeover: z.boolean().optional(),
  serverMaxWindowBits: z.int().min(8).max(15).optional(),
  clientMaxWindowBits: z.int().min(8).max(15).optional(),
  concurrencyLimit: z.int().min(1).optional(),
  zlibDeflateOptions: z.strictObject(zlibOptions).optional(),
  zlibInflateOptions: z
    .strictObject({ chunkSize: zlibOptions.chunkSize, windowBits: zlibOptions.windowBits })
    .optional(),
});

const MAX_MESSAGE_BYTES = 1_073_741_824;

const RECOVERY_DEFAULTS = { maxDisconnectionDuration: 120_000, skipMiddlewares: true };
const recoveryOptions = z.strictObject({
  maxDisconnectionDuration: z.int().min(1).max(MAX_TIMER_MS).default(RECOVERY_DEFAULTS.maxDisconnectionDuration),
  skipMiddlewares: z.boolean().default(RECOVERY_DEFAULTS.skipMiddlewares),
});

export const socketioSchema = z.strictObject({
  path: key(
    z
      .string()
      .regex(/^\/[^\s?#]*[^\s?#/]\/?$/)
      .transform((path) => path.replace(/\/$/, ""))
      .default("/socket.io"),
    {
      description: "Path of Socket.IO's requests; every other path belongs to the app.",
      allowed: "a path that begins with / and is longer than that, without blanks, ? and #",
      textForm: "text",
    },
  ),
  serveClient: booleanKey(true, "Whether the client's own files are served under the path."),
  connectTimeout: timeKey(1, 45_000, "How long a client may stay connected without joining a namespace."),
  cleanupEmptyChildNamespaces: booleanKey(
    false,
    "Whether a namespace made from a dynamic one is removed with its last socket; without it the node keeps it, up to hub.maxNamespaces.",
  ),
  pingInterval: timeKey(1, 25_000, "Time from one ping to the next."),
  pingTimeout: timeKey(1, 20_000, "How long a client may take to answer a ping before it counts as gone."),
  upgradeTimeout: timeKey(1, 10_000, "How long an upgrade from polling may take."),
  maxHttpBufferSize: integerKey(
    [1, MAX_MESSAGE_BYTES],
    1_000_000,
    "Size of the largest message a client may send; beyond it the session is closed.",
    { unit: "bytes" },
  ),
  transports: key(
    z
      .array(z.enum(["polling", "websocket"]))
      .min(1)
      .refine((names) => new Set(names).size === names.length)
      .default(["polling", "websocket"]),
    {
      description: "The transports that are offered.",
      allowed:
        'a list of "polling" and "websocket", each at most once (webtransport runs over UDP, which limpet does not route)',
      textForm: "list",
    },
  ),
  allowUpgrades: booleanKey(true, "Whether a session may go from polling to WebSocket."),
  perMessageDeflate: key(z.union([z.boolean(), deflateOptions]).default(false), {
    description: "Compression of WebSocket messages: options of the ws package and a `threshold` in bytes.",
    allowed: `true, false or a mapping of ${Object.keys(deflateOptions.shape).join(", ")}`,
    textForm: "json",
  }),
  httpCompression: key(
    z.union([z.boolean(), z.strictObject({ threshold, ...zlibOptions })]).default({ threshold: 1024 }),
    {
      description: "Compression of polling responses: options of zlib and a `threshold` in bytes.",
      allowed: `true, false or a mapping of threshold, ${Object.keys(zlibOptions).join(", ")}`,
      textForm: "json",
    },
  ),
  allowEIO3: booleanKey(false, "Whether clients of Socket.IO 2 may connect."),
  cookie: key(z.union([z.boolean(), cookieOptions]).default(false), {
    description: "The cookie that carries the session id; limpet needs none.",
    allowed: `true, false or a mapping of ${Object.keys(cookieOptions.shape).join(", ")}`,
    textForm: "json",
  }),
  connectionStateRecovery: key(recoveryOptions.default(RECOVERY_DEFAULTS), {
    description:
      "How recovery works: how long (in ms) a client may be away, and whether one that comes back skips the middlewares. Given here, it also turns recovery on, as in Socket.IO; `recovery.enabled` overrides that.",
    allowed: `a mapping of ${Object.keys(recoveryOptions.shape).join(", ")}`,
    textForm: "json",
  }),
  cors: key(z.union([z.literal(false), corsOptions]).default(false), {
    description: "Which pages of other origins may connect: options of the cors package.",
    allowed: `false or a mapping of ${Object.keys(corsOptions.shape).join(", ")}`,
    textForm: "json",
  }),
});

/** Options of Socket.IO that are known and refused: key to reason. */
export const refusedKeys: ReadonlyMap<string, string> = new Map([
  ["socketio.adapter", "limpet brings its own adapter, which reaches every worker"],
  ["socketio.parser", "a parser is code, and every client would need the same one; limpet speaks Socket.IO's default"],
  ["socketio.wsEngine", "limpet brings its own, the ws package"],
  ["socketio.allowRequest", "it is a function, which cannot stand in a file; refuse clients in the app, with io.use()"],
  ["socketio.initialPacket", "it is internal to Socket.IO"],
  ["socketio.addTrailingSlash", "the slash is what Socket.IO's clients send, so it stays"],
  ["socketio.destroyUpgrade", "limpet answers foreign upgrades itself"],
  ["socketio.destroyUpgradeTimeout", "limpet answers foreign upgrades itself"],
]);
