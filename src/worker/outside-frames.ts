/** What servers outside of the node are told past the primary, as frames for its inlet: entries of the stream, which it passes on unread, and requests. */
import { encodeEntryFrame } from "../link/entry-frame.js";
import { eventHeaderText, headerTextOf } from "../link/entry-header.js";
import { BROADCAST } from "../link/event-frame.js";
import { encodeFrame } from "../link/frame.js";
import type { Publish } from "../link/messages.js";
import { encodeEvent, type EventOptions, type Payload } from "../link/payload.js";
import type { PublishHeader } from "./hub-route.js";

/** @param args name and arguments, as a JSON array */
export function eventForOutside(nsp: string, args: string, target: EventOptions): readonly Buffer[] {
  const roomsText = JSON.stringify(target.rooms);
  const header = eventHeaderText(target, Buffer.byteLength(args), roomsText);
  return encodeEntryFrame({ nsp, type: BROADCAST, bin: false, header }, encodeEvent(args, nsp, target, roomsText));
}

export function messageForOutside(message: PublishHeader, { bin, body }: Payload): readonly Buffer[] {
  const { nsp, type, req } = message;
  if (req === undefined) return encodeEntryFrame({ nsp, type, bin, header: headerTextOf(message) }, body);
  // The primary keeps account of who asked, and asks stock servers by another way as well.
  return encodeFrame({ t: "publish", ...message, bin } satisfies Publish, body);
}
