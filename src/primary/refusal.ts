/** Answers that the front gives by itself, each made once: refusing must be cheap. */
import type { Socket } from "node:net";

export type Refusal =
  | "request_line_too_long"
  | "request_line_timeout"
  | "not_http"
  | "overloaded"
  | "no_worker"
  | "draining"
  | "over_budget"
  | "lagging"
  | "full"
  | "address";

const STATUS: Readonly<Record<Refusal, { status: string; text: string; retryAfterS?: number }>> = {
  request_line_too_long: { status: "414 URI Too Long", text: "The request line is too long." },
  request_line_timeout: { status: "408 Request Timeout", text: "The request line did not arrive in time." },
  not_http: { status: "400 Bad Request", text: "This is no HTTP/1 request." },
  overloaded: { status: "503 Service Unavailable", text: "The worker for this request is overloaded.", retryAfterS: 5 },
  no_worker: { status: "503 Service Unavailable", text: "No worker is ready.", retryAfterS: 5 },
  draining: { status: "503 Service Unavailable", text: "This node is shutting down.", retryAfterS: 5 },
  over_budget: { status: "503 Service Unavailable", text: "Too many new sessions at this moment.", retryAfterS: 2 },
  lagging: { status: "503 Service Unavailable", text: "This node has more to do than it can.", retryAfterS: 2 },
  full: { status: "503 Service Unavailable", text: "This node has as many sessions as it may hold.", retryAfterS: 5 },
  address: { status: "429 Too Many Requests", text: "Too many sessions from this address.", retryAfterS: 5 },
};

const answers = new Map(
  (Object.keys(STATUS) as Refusal[]).map((reason) => {
    const { status, text, retryAfterS } = STATUS[reason];
    const body = JSON.stringify({ error: reason, message: text });
    const retry = retryAfterS === undefined ? "" : `Retry-After: ${retryAfterS}\r\n`;
    // A page of another origin may read the refusal: it says nothing that is private.
    const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${retry}Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n`;
    return [reason, Buffer.from(head + body)] as const;
  }),
);

/** How long a refused client may take to read its answer and close. */
const LINGER_MS = 2_000;

/** Answers and closes. What the client still sends is read and dropped for a moment, so that its answer is not lost to a reset. */
export function refuse(socket: Socket, reason: Refusal): void {
  const answer = answers.get(reason);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.removeAllListeners("end");
  socket.removeAllListeners("data");
  socket.on("error", () => socket.destroy());
  socket.resume();
  socket.end(answer ?? "");
}
