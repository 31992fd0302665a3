/**
 * Socket.IO's default parser, for its documented option `parser`, with one addition: a client that comes back without an offset, because it has received
 * nothing yet, gets the empty one. Socket.IO looks for a session only where there are both.
 */
import { Decoder, Encoder, PacketType, type Packet } from "socket.io-parser";
import { NOTHING_RECEIVED } from "../../recovery/claim.js";

class OffsetDecoder extends Decoder {
  constructor() {
    super();
    // Listeners are called in the order in which they were added: Socket.IO's comes after this one.
    this.on("decoded", (packet) => {
      if (packet.type === PacketType.CONNECT) fillIn(packet);
    });
  }
}

function fillIn({ data }: Packet): void {
  const auth = data as { pid?: unknown; offset?: unknown } | undefined;
  if (typeof auth?.pid === "string" && typeof auth.offset !== "string") auth.offset = NOTHING_RECEIVED;
}

export const offsetParser = { Encoder, Decoder: OffsetDecoder };
