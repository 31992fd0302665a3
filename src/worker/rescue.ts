/**
 * Requests for a session that another worker of this node holds: they come on a connection that was handed here for an earlier request, or in the
 * moment in which the front did not know better. They are forwarded to the owner over its Unix socket, once: what arrives there is never
 * forwarded again. Client and owner talk as if there was nobody between them.
 */
import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { Sibling } from "../link/messages.js";

export type RescueOutcome = "forwarded" | "gone" | "unknown" | "failed";

export interface ForwardHandler {
  /** The owner has taken the connection. */
  readonly onForwarded: () => void;
  /** The owner broke off in the middle of its answer. */
  readonly onFailed: () => void;
  /** No answer has begun and none will: the caller gives one. The owner may have acted on the request. */
  readonly onUnanswered: () => void;
}

/** Where a request can go. `gone`: that worker is known to live no more. */
export type Owner = { readonly kind: "at"; readonly path: string } | { readonly kind: "gone" };

export class Rescue {
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 64 });
  #paths = new Map<number, string>();

  /** @param siblings those that live now */
  update(siblings: readonly Sibling[]): void {
    this.#paths = new Map(siblings.map(({ slot, path }) => [slot, path]));
  }

  owner(slot: number): Owner {
    const path = this.#paths.get(slot);
    return path === undefined ? { kind: "gone" } : { kind: "at", path };
  }

  /** Forwards a request and its answer, both as streams. */
  forward(path: string, request: IncomingMessage, response: ServerResponse, handler: ForwardHandler): void {
    let forwarded = false;
    let abandoned = false;
    const onForwarded = (): void => {
      if (forwarded) return;
      forwarded = true;
      handler.onForwarded();
    };
    const upstream = httpRequest({
      socketPath: path,
      agent: this.#agent,
      method: request.method,
      path: request.url,
      headers: withoutHopByHop(request),
      setHost: false,
    });
    upstream.on("socket", (socket) => {
      // A kept connection may be one whose end is not known yet: it proves itself by its answer.
      if (socket.connecting) socket.once("connect", onForwarded);
    });
    upstream.on("response", (answer) => {
      onForwarded();
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, withoutHopByHop(answer));
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
      handler.onUnanswered();
    });
    response.on("close", () => {
      if (response.writableFinished) return;
      // A client that gives up must end its request at the owner too: Engine.IO notices a lost poll by that.
      abandoned = true;
      upstream.destroy();
    });
    request.pipe(upstream);
  }

  /** Forwards an upgrade: the head is written again as it was, and from there on bytes pass both ways. */
  forwardUpgrade(
    path: string,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    { onForwarded, onUnanswered }: Pick<ForwardHandler, "onForwarded" | "onUnanswered">,
  ): void {
    const upstream = connect({ path });
    let connected = false;
    upstream.once("connect", () => {
      connected = true;
      onForwarded();
      // Node reads header bytes as latin1: written so, they are what they were.
      upstream.write(requestHead(request), "latin1");
      if (head.length > 0) upstream.write(head);
      socket.pipe(upstream);
      upstream.pipe(socket);
    });
    upstream.on("error", () => {
      if (connected) socket.destroy();
      else onUnanswered();
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

  close(): void {
    this.#agent.destroy();
  }
}

/** How long a client may take to read the last bytes of an owner that has ended. */
const LINGER_MS = 30_000;

/** Headers that are about one connection and not about the message. */
const HOP_BY_HOP = ["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"];

/** Without those, and without what `Connection` names (RFC 9110, 7.6.1). */
function withoutHopByHop({ rawHeaders, headers }: IncomingMessage): string[] {
  const dropped = new Set(HOP_BY_HOP);
  for (const name of (headers.connection ?? "").split(",")) dropped.add(name.trim().toLowerCase());
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    const value = rawHeaders[i + 1];
    if (name !== undefined && value !== undefined && !dropped.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

function requestHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return `${head}\r\n`;
}
