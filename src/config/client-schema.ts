/** What one client may cost: how much may wait for it, and what it may send, join and open. */
import { z } from "zod";
import { integerKey, key, MAX_QUEUE_BYTES } from "./key.js";

export const SLOW_POLICIES = ["disconnect", "drop-volatile"] as const;

const MAX_COUNT = 1_000_000_000;

export const clientSchema = z.strictObject({
  slowPolicy: key(z.enum(SLOW_POLICIES).default("disconnect"), {
    description:
      "Volatile messages for a client that cannot be written to at once: `disconnect` drops them as Socket.IO does, `drop-volatile` lets them wait and drops them from a quarter of the limits on. Beyond the limits a client is cut off in any case.",
    allowed: `one of ${SLOW_POLICIES.join(", ")}`,
    textForm: "text",
  }),
  maxBufferedBytes: integerKey(
    [1024, MAX_QUEUE_BYTES],
    4_194_304,
    "Bytes that may wait for one client; beyond it the client is cut off. A message counts for two fifths of it at most, however long it is.",
    { unit: "bytes" },
  ),
  maxBufferedPackets: integerKey(
    [1, MAX_COUNT],
    20_000,
    "Packets that may wait for one client; beyond it the client is cut off.",
  ),
  maxEventsPerSecond: integerKey(
    [1, MAX_COUNT],
    1000,
    "Events a second that a socket may send in the long run; those beyond it are refused.",
  ),
  maxEventsBurst: integerKey(
    [1, MAX_COUNT],
    5000,
    "Events that a socket may send at once; one that has this many refused as well is disconnected.",
  ),
  maxRooms: integerKey(
    [1, MAX_COUNT],
    1000,
    "Rooms a socket may be in besides its own; a join beyond it rejects and changes nothing.",
  ),
  maxNamespaces: integerKey(
    [1, MAX_COUNT],
    100,
    "Namespaces one connection may have joined or be joining; beyond it the answer is a connect_error.",
  ),
  maxPendingAcks: integerKey(
    [1, MAX_COUNT],
    10_000,
    "Acks the server may await from a socket; beyond it the oldest is given up.",
  ),
  maxPacketsPerPost: integerKey(
    [1, MAX_COUNT],
    10_000,
    "Packets a polling client may send in one POST; beyond it the session is closed.",
  ),
});
