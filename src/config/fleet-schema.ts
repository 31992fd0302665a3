/** The part of the schema that makes a node one of a fleet: Redis, the bus over it, and how the nodes reach each other. */
import { z } from "zod";
import { booleanKey, integerKey, isFile, key, MAX_QUEUE_BYTES, MAX_TIMER_MS, timeKey } from "./key.js";
import { parseRedisUrl, REDIS_URL_FORMS } from "../lib/redis-url.js";

const ADDRESS = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/;
const isAddress = (text: string): boolean => {
  const match = ADDRESS.exec(text);
  return match !== null && (match[1] === undefined || (Number(match[1]) > 0 && Number(match[1]) <= 65_535));
};

const file = (description: string): z.ZodDefault<z.ZodNullable<z.ZodString>> =>
  key(z.string().refine(isFile).nullable().default(null), {
    description,
    allowed: "the path of a file, or null",
    textForm: "path",
    defaultText: "none",
  });

const secret = (min: number, description: string): z.ZodDefault<z.ZodNullable<z.ZodString>> =>
  key(z.string().min(min).max(1024).nullable().default(null), {
    description,
    allowed: `text of ${min} to 1024 characters, or null`,
    textForm: "text",
    defaultText: "none",
    secret: "whole",
  });

export const redisSchema = z.strictObject({
  url: key(
    z
      .string()
      .refine((text) => parseRedisUrl(text) !== undefined)
      .nullable()
      .default(null),
    {
      description: "Redis that joins the nodes to a fleet; without it this node is alone.",
      allowed: `${REDIS_URL_FORMS}; or null`,
      textForm: "text",
      defaultText: "none",
      flag: { name: "--redis", group: "Fleet:", placeholder: "url" },
      secret: "url",
    },
  ),
  username: key(z.string().min(1).nullable().default(null), {
    description: "User at Redis, where it does not stand in the URL.",
    allowed: "text, or null",
    textForm: "text",
    defaultText: "none",
  }),
  password: secret(1, "Password at Redis, where it does not stand in the URL."),
  sentinelPassword: secret(1, "Password at the sentinels."),
  tlsCaFile: file("Certificate of the authority that signed Redis' certificate, in PEM."),
  tlsCertFile: file("Certificate that this node shows Redis, in PEM."),
  tlsKeyFile: file("Private key of that certificate, in PEM."),
  tlsVerify: booleanKey(true, "Whether Redis' certificate is checked."),
  stream: key(z.string().min(1).max(256).default("socket.io"), {
    description: "Key of the stream; the name the stock adapter uses, so that stock servers can join.",
    allowed: "text of 1 to 256 characters",
    textForm: "text",
  }),
  channelPrefix: key(z.string().min(1).max(256).default("socket.io"), {
    description: "First part of the names of the pub/sub channels; as the stock adapter's.",
    allowed: "text of 1 to 256 characters",
    textForm: "text",
  }),
  keyPrefix: key(z.string().min(1).max(256).default("limpet:"), {
    description: "First part of the names of limpet's own keys.",
    allowed: "text of 1 to 256 characters",
    textForm: "text",
  }),
});

export const busSchema = z.strictObject({
  startTimeoutMs: timeKey(1, 10_000, "How long a node waits for Redis before it starts without."),
  gatherMs: integerKey(
    [0, 1000],
    40,
    "The longest that a message to other nodes waits for others to leave with, where four or more come in that time (by default 100 a second); 0: it never waits.",
    { unit: "ms" },
  ),
  bundles: booleanKey(
    true,
    "Whether messages that leave together share an entry of the stream, where nobody but limpet nodes reads it; off: whatever reads the stream finds each by itself.",
  ),
  maxOutboxBytes: integerKey(
    [1024, MAX_QUEUE_BYTES],
    67_108_864,
    "Bytes that may wait for Redis; messages to other nodes beyond it are dropped and counted.",
    { unit: "bytes" },
  ),
  maxEntryBytes: integerKey(
    [1024, 536_870_912],
    16_777_216,
    "Largest message to other nodes; larger ones are dropped and counted.",
    { unit: "bytes" },
  ),
  retentionMs: timeKey(1000, 300_000, "How long the stream keeps messages."),
  stallTimeoutMs: timeKey(
    100,
    10_000,
    "How long Redis may leave a command unanswered before its connection is made anew.",
  ),
});

export const fleetSchema = z.strictObject({
  leaseMs: timeKey(
    1000,
    15_000,
    "How long a node's lease holds: a node that ends without a word is forgotten after it.",
  ),
  idQuarantineMs: integerKey(
    [0, MAX_TIMER_MS],
    120_000,
    "How long the id of a node that has ended waits for its next holder: at least as long as clients may come back to their sessions.",
    { unit: "ms" },
  ),
  secret: secret(16, "Shared secret of the fleet: requests that nodes forward to each other carry it."),
});

export const advertiseKey = key(z.string().refine(isAddress).nullable().default(null), {
  description: "Where the other nodes reach this one's port for clients.",
  allowed: "HOST, HOST:PORT, or null",
  textForm: "text",
  defaultText: "host, or where that is every address, the first that is not a loopback one; with the port",
  flag: { group: "Fleet:", placeholder: "host[:port]" },
});
