/** A message without those of its receivers that have had it already, at another node. */
import type { Inbound } from "../bus/local-side.js";
import { decodePayload, encodePayload } from "../link/payload.js";

/** @param ids of these sockets: each is in the room of its own id */
export function withoutSockets(
  message: Inbound,
  body: Buffer,
  ids: readonly string[],
): { readonly message: Inbound; readonly body: Buffer } {
  const { event, logged, bin } = message;
  const more = logged && { logged: { ...logged, except: [...logged.except, ...ids] } };
  if (event !== undefined)
    return { message: { ...message, ...more, event: { ...event, except: [...event.except, ...ids] } }, body };
  // Its receivers stand in the body alone.
  const data = decodePayload({ bin, body }) as { readonly opts: { readonly except?: readonly string[] } };
  const opts = { ...data.opts, except: [...(data.opts.except ?? []), ...ids] };
  const changed = encodePayload({ ...data, opts });
  return { message: { ...message, ...more, bin: changed.bin }, body: changed.body };
}
