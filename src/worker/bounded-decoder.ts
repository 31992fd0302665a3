/**
 * Socket.IO's decoder, which refuses values that are nested so deeply that walking them ends the stack: parsing survives them, but not an app that
 * sends them on. What is no packet is counted; Socket.IO closes its session in any case.
 */
import type { PacketDecoder } from "./internals.js";

/** Far beyond what is written by hand, far below what recursion over it stands. */
const MAX_DEPTH = 500;

export type BadPacket = "too_deep" | "too_many_attachments" | "invalid_packet";

type DecoderClass = new (...args: never[]) => PacketDecoder;

export function boundDecoder(Decoder: DecoderClass, onRefused: (why: BadPacket) => void): DecoderClass {
  return class extends Decoder {
    override add(packet: unknown): void {
      if (typeof packet === "string" && isDeeper(packet, MAX_DEPTH)) {
        onRefused("too_deep");
        throw new Error(`nested more than ${MAX_DEPTH} deep`);
      }
      try {
        super.add(packet);
      } catch (error) {
        const isAttachments = error instanceof Error && error.message === "too many attachments";
        onRefused(isAttachments ? "too_many_attachments" : "invalid_packet");
        throw error;
      }
    }
  };
}

/** Whether arrays and objects in a text of JSON are open at once in a greater number than that. */
export function isDeeper(text: string, depth: number): boolean {
  if (text.length < 2 * depth) return false;
  if (countOf(text, "[", depth) + countOf(text, "{", depth) <= depth) return false;
  let open = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        inString = !inString;
        break;
      case 0x5c: // \
        if (inString) at++;
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (!inString && ++open > depth) return true;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        if (!inString) open--;
        break;
    }
  }
  return false;
}

/** Occurrences of a character, counted to one beyond `most`. */
function countOf(text: string, character: string, most: number): number {
  let found = 0;
  for (let at = text.indexOf(character); at !== -1 && found <= most; at = text.indexOf(character, at + 1)) found++;
  return found;
}
