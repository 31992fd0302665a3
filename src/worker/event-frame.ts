/**
 * A plain event (no binary, no ack) as it leaves for clients: Socket.IO's text, and the WebSocket frame around it, each made once for all
 * members. Engine.IO writes the frame as it is to every WebSocket without compression.
 */
const TEXT_FRAME = 0x81;
const MESSAGE = "4";
const EVENT = "2";

/** Socket.IO's text of an event. @param args the event's name and arguments, as a JSON array */
export function eventText(nsp: string, args: string): string {
  return nsp === "/" ? EVENT + args : `${EVENT}${nsp},${args}`;
}

/** An unmasked WebSocket text frame (RFC 6455, 5.2) that holds Engine.IO's message with that text, in one buffer. */
export function webSocketFrame(text: string): Buffer {
  const bytes = 1 + Buffer.byteLength(text);
  const header = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + bytes);
  frame[0] = TEXT_FRAME;
  if (header === 2) {
    frame[1] = bytes;
  } else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(bytes, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(bytes), 2);
  }
  frame.write(MESSAGE + text, header, "utf8");
  return frame;
}
