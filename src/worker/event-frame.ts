/**
 * A plain event (no binary, no ack) as it leaves for clients: Socket.IO's text, and the WebSocket frame around it, each made once for all
 * members. Every WebSocket without compression gets the frame as it is.
 */
import { textFrame } from "./write-frame.js";

const MESSAGE = "4";
const EVENT = "2";

/** Socket.IO's text of an event. @param args the event's name and arguments, as a JSON array */
export function eventText(nsp: string, args: string): string {
  return nsp === "/" ? EVENT + args : `${EVENT}${nsp},${args}`;
}

/** The frame that holds Engine.IO's message with that text, in one buffer. */
export function messageFrame(text: string): Buffer {
  return textFrame(MESSAGE + text);
}
