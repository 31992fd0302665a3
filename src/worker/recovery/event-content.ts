/** An event on its way to a client, with the claim behind its arguments. */
import type { BroadcastFlags } from "socket.io-adapter";
import { decodePayload, type Payload } from "../../link/payload.js";
import { eventText } from "../event-frame.js";
import { PacketType, type AdapterInternals, type Packet, type PacketOptions } from "../internals.js";

/** Its name and arguments: as a JSON array, or where binary is inside, as Socket.IO's packet. */
export type EventContent = { readonly args: string } | { readonly packet: Packet };

export type Encoder = AdapterInternals["encoder"];

/** @param args a JSON array that is not empty. @param claim without anything that JSON would escape */
export function withClaim(args: string, claim: string): string {
  return `${args.slice(0, -1)},"${claim}"]`;
}

/** What Engine.IO sends one after another: Socket.IO's text, and the binary that belongs to it. */
export function encodeForClient(
  encoder: Encoder,
  nsp: string,
  content: EventContent,
  claim: string,
): (string | Buffer)[] {
  if ("args" in content) return [eventText(nsp, withClaim(content.args, claim))];
  return encoder.encode({ type: PacketType.EVENT, nsp, data: [...content.packet.data, claim] });
}

/** Of a broadcast's payload. */
export function packetOf(payload: Payload): Packet {
  return (decodePayload(payload) as { packet: Packet }).packet;
}

/** What Engine.IO is told of events that are encoded already. */
export function packetOptions({ volatile, compress }: BroadcastFlags): PacketOptions {
  return { preEncoded: true, volatile, compress, wsPreEncodedFrame: undefined };
}
