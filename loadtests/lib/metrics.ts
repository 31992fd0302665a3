/** What the client measures, as k6 metrics. Times are in milliseconds. Labels are bounded sets. */
import { Counter, Trend } from "k6/metrics";

export type TransportName = "polling" | "websocket";

/** Engine.IO's and Socket.IO's own reasons, with underscores so that they can stand in a threshold. */
export type DisconnectReason =
  | "io_client_disconnect"
  | "io_server_disconnect"
  | "ping_timeout"
  | "transport_close"
  | "transport_error"
  | "parse_error";

export type ErrorReason =
  "ack_timeout" | "connect_error" | "connect_timeout" | "handler" | "parse" | "ping_timeout" | "transport" | "upgrade";

/** From the first byte of the handshake to the CONNECT packet of a namespace; {transport} is the one it came by. */
export const connectTime = new Trend("socketio_connect_time", true);
/** From the opening of the WebSocket to the packet that ends polling. */
export const upgradeTime = new Trend("socketio_upgrade_time", true);
/** From an event to its acknowledgement. */
export const eventRtt = new Trend("socketio_event_rtt", true);
/** From a message's publication to its arrival at a member; recorded by scripts, see `recordDelivery`. */
export const deliveryTime = new Trend("socketio_delivery_time", true);
export const messagesSent = new Counter("socketio_messages_sent");
export const messagesReceived = new Counter("socketio_messages_received");
const errors = new Counter("socketio_errors");
const disconnects = new Counter("socketio_disconnects");
/**
 * Sessions open = opened - closed. Two counters, since a k6 gauge keeps the last value written by any VU and cannot be
 * summed over them.
 */
export const sessionsOpened = new Counter("socketio_sessions_opened");
export const sessionsClosed = new Counter("socketio_sessions_closed");

/** `sentAtMs` is the `Date.now()` of the sender; sender and receiver must share a clock. */
export function recordDelivery(sentAtMs: number, transport: TransportName): void {
  deliveryTime.add(Date.now() - sentAtMs, { transport });
}

/** Counts a failure and says what it was: k6's own output has only the sum. */
export function countError(reason: ErrorReason, detail: string): void {
  errors.add(1, { reason });
  console.warn(`socket.io ${reason}: ${detail}`);
}

export function countDisconnect(reason: DisconnectReason): void {
  disconnects.add(1, { reason });
}
