/** Forwards one request, or one upgrade, to another worker: client and owner talk as if there was nobody between them. */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { requestHead, without, withoutHopByHop } from "./raw-headers.js";
import { limitConnecting, type Route } from "./route.js";

export interface ForwardHandler {
  /** The owner has taken the connection. */
  readonly onForwarded: () => void;
  /** The owner broke off in the middle of its answer. */
  readonly onFailed: () => void;
  /**
   * No answer has begun and none will: the caller gives one.
   *
   * @param wasReached whether the owner took the connection: it may have acted on the request
   */
  readonly onUnanswered: (wasReached: boolean) => void;
}

/** What the headers of a forwarded request become. */
export type Restamp = (rawHeaders: readonly string[]) => string[];

/** Forwards a request and its answer, both as streams. */
export function forward(
  route: Route,
  restamp: Restamp,
  request: IncomingMessage,
  response: ServerResponse,
  handler: ForwardHandler,
): void {
  let forwarded = false;
  let wasReached = false;
  let abandoned = false;
  const onForwarded = (): void => {
    if (forwarded) return;
    forwarded = true;
    handler.onForwarded();
  };
  const upstream = httpRequest({
    ...("path" in route.endpoint ? { socketPath: route.endpoint.path } : route.endpoint),
    agent: route.agent,
    method: request.method,
    path: request.url,
    headers: restamp(withoutHopByHop(request)),
    setHost: false,
    ...(route.answerMs === undefined ? {} : { timeout: route.answerMs }),
  });
  upstream.on("socket", (socket) => {
    // A kept connection may be one whose end is not known yet: it proves itself by its answer.
    wasReached = !socket.connecting;
    if (wasReached) return;
    limitConnecting(socket);
    socket.once("connect", () => {
      wasReached = true;
      onForwarded();
    });
  });
  if (route.answerMs !== undefined)
    upstream.on("timeout", () => upstream.destroy(new Error("the owner of the session does not answer")));
  upstream.on("response", (answer) => {
    onForwarded();
    // From here on the client says how long it takes.
    upstream.setTimeout(0);
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, without(withoutHopByHop(answer), FRAMING));
    answer.pipe(response);
    answer.on("end", () => {
      if (request.readableEnded) return;
      // Answered before its body was through: the owner may read no more of it, and the client's next request stands behind it.
      request.unpipe(upstream);
      request.resume();
      upstream.destroy();
    });
    answer.on("error", () => {
      if (!abandoned) handler.onFailed();
      // Half an answer must not look like a whole one.
      response.destroy();
    });
  });
  upstream.on("error", () => {
    if (abandoned || response.headersSent) return;
    // What is left of the body is read and dropped, or the next request on this connection would never be read.
    request.unpipe(upstream);
    request.resume();
    handler.onUnanswered(wasReached);
  });
  response.on("close", () => {
    if (response.writableFinished) return;
    // A client that gives up must end its request at the owner too: Engine.IO notices a lost poll by that.
    abandoned = true;
    upstream.destroy();
  });
  request.pipe(upstream);
}

/** Forwards an upgrade: the head is written again, and from there on bytes pass both ways as they are. */
export function forwardUpgrade(
  route: Route,
  restamp: Restamp,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { onForwarded, onUnanswered }: Pick<ForwardHandler, "onForwarded" | "onUnanswered">,
): void {
  const upstream = route.connect();
  let connected = false;
  upstream.once("connect", () => {
    connected = true;
    onForwarded();
    // Node reads header bytes as latin1: written so, they are what they were.
    upstream.write(requestHead(request, restamp(request.rawHeaders)), "latin1");
    if (head.length > 0) upstream.write(head);
    socket.pipe(upstream);
    upstream.pipe(socket);
  });
  upstream.on("error", () => {
    if (connected) socket.destroy();
    else if (!socket.destroyed) onUnanswered(false);
  });
  upstream.on("close", (hadError) => {
    if (!connected || hadError) return;
    // The owner has ended in order: its last bytes may still be on their way to a slow client.
    const linger = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once("close", () => clearTimeout(linger));
  });
  socket.on("error", () => upstream.destroy());
  socket.on("close", () => upstream.destroy());
}

/** How an answer of unknown length ends depends on the version that the client speaks: Node says it anew. */
const FRAMING: ReadonlySet<string> = new Set(["transfer-encoding"]);

/** How long a client may take to read the last bytes of an owner that has ended. */
const LINGER_MS = 30_000;
