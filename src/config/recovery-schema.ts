/** The part of the schema for recovery: whether clients that come back find their session again, and what that may cost. */
import { z } from "zod";
import { booleanKey, integerKey, MAX_QUEUE_BYTES, timeKey } from "./key.js";

const SOCKETIO_KEY = "socketio.connectionStateRecovery";

export const recoverySchema = z.strictObject({
  enabled: booleanKey(
    false,
    "Whether a client that comes back keeps its id, rooms and data, and gets what it missed; events then carry one more argument, the offset.",
    {
      defaultText: `true with the built-in app, and where ${SOCKETIO_KEY} is given; else false`,
      derive: (valueOf, isGiven) => valueOf("app") === null || isGiven(SOCKETIO_KEY),
      variable: "LIMPET_RECOVERY",
      flag: { name: "--recovery", group: "Clients:", placeholder: "true|false" },
    },
  ),
  releaseTimeoutMs: timeKey(
    1,
    500,
    "How long the worker that still has a session may take to let go of it, where its client has come back to another one.",
  ),
  maxSessions: integerKey(
    [1, 10_000_000],
    200_000,
    "Sessions the node remembers, connected or not; the one that left first goes first, and starts anew when it comes back.",
  ),
  maxSessionBytes: integerKey(
    [1024, MAX_QUEUE_BYTES],
    268_435_456,
    "Bytes that these sessions may take together, rooms and data counted.",
    { unit: "bytes" },
  ),
  maxDataBytes: integerKey(
    [64, 16_777_216],
    65_536,
    "Largest `socket.data` of one session that is kept; of a larger one the last state below that stays.",
    { unit: "bytes" },
  ),
  maxLogBytes: integerKey(
    [1024, MAX_QUEUE_BYTES],
    268_435_456,
    "Bytes of messages the node keeps for clients that come back; beyond it the oldest go early.",
    { unit: "bytes" },
  ),
  maxMissedBytes: integerKey(
    [1024, MAX_QUEUE_BYTES],
    16_777_216,
    "Bytes of missed messages one client may be sent when it comes back; one that missed more starts anew.",
    { unit: "bytes" },
  ),
});
