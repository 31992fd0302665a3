/** The part of the schema that says who may enter, and how often. */
import { isIP } from "node:net";
import { z } from "zod";
import { integerKey, key, timeKey } from "./key.js";

const limit = (max: number, description: string): z.ZodDefault<z.ZodNullable<z.ZodInt>> =>
  key(z.int().min(1).max(max).nullable().default(null), {
    description,
    allowed: `an integer from 1 to ${max}, or null for no limit`,
    textForm: "integer",
    defaultText: "no limit",
  });

/** An address, or a network as ADDRESS/BITS. */
function isNetwork(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

export const accessSchema = z.strictObject({
  handshakesPerSecond: integerKey(
    [0, 1_000_000],
    500,
    "New sessions that one worker takes in a second, evenly spread; what is beyond waits, or is answered 503.",
    { note: "0: no limit" },
  ),
  maxWaitMs: integerKey(
    [0, 20_000],
    1000,
    "How long a new session may wait for its turn by `access.handshakesPerSecond`; one that would have to wait longer is refused at once.",
    { unit: "ms" },
  ),
  maxLagMs: timeKey(
    1,
    500,
    "How late a worker may be and still get new sessions, by its event loop's median lag in the last second and by the wait of connections for it; where all are later the answer is 503.",
  ),
  maxConnections: key(z.int().min(1).max(10_000_000).nullable().default(null), {
    description: "Sessions that the node holds at once; beyond it new ones are answered 503.",
    allowed: "an integer from 1 to 10000000, or null for the default",
    textForm: "integer",
    defaultText: "20000 for each worker",
  }),
  trustedProxies: key(z.array(z.string().refine(isNetwork)).default([]), {
    description:
      "Proxies whose X-Forwarded-For is believed, for the limits per address: without them the limits are for the address of the connection.",
    allowed: "a list of IP addresses and networks (ADDRESS/BITS)",
    textForm: "list",
  }),
  addressSessions: limit(
    1_000_000,
    "Sessions of one address (of IPv6, of one /64) at once on this node; beyond it the answer is 429.",
  ),
  addressSessionsPerMinute: limit(
    1_000_000,
    "New sessions of one address (of IPv6, of one /64) in a minute on this node; beyond it the answer is 429.",
  ),
  userConnectsPerMinute: limit(
    1_000_000,
    "Times in a minute that `limpet.admit` lets one user in, over the whole fleet where there is Redis.",
  ),
});
