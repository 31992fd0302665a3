/** Writes a plain event to members of a room: its arguments are serialised once for all clients of all workers, its text and its frame once for all here. */
import type { BroadcastFlags } from "socket.io-adapter";
import { eventText, messageFrame } from "./event-frame.js";
import { PacketType, type PacketOptions, type SocketInternals } from "./internals.js";

/**
 * @param args the event's name and arguments, as a JSON array
 * @param data the same, where it is at hand
 * @returns what writes it to one client after the other
 */
export function eventWriter(
  nsp: string,
  args: string,
  flags: BroadcastFlags | undefined,
  data?: unknown[],
): (socket: SocketInternals) => void {
  const text = eventText(nsp, args);
  const encoded = [text];
  const options: PacketOptions = {
    preEncoded: true,
    volatile: flags?.volatile,
    compress: flags?.compress,
    wsPreEncodedFrame: undefined,
  };
  return (socket) => {
    options.wsPreEncodedFrame ??= [messageFrame(text)];
    if (socket._anyOutgoingListeners?.length) {
      data ??= JSON.parse(args) as unknown[];
      socket.notifyOutgoingListeners({ type: PacketType.EVENT, nsp, data });
    }
    socket.client.writeToEngine(encoded, options);
  };
}
