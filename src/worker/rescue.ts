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

  /**
   * Forwards a request and its answer, both as streams.
   * @param onUnreachable called instead of an answer, where the owner could not be reached or broke off before it answered
   */
  forward(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    onUnreachable: (error: Error) => void,
  ): void {
    const upstream = httpRequest({
      socketPath: path,
      agent: this.#agent,
      method: request.method,
      path: request.url,
      headers: withoutHopByHop(request.rawHeaders),
      setHost: false,
    });
    upstream.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, withoutHopByHop(answer.rawHeaders));
      answer.pipe(response);
      // Half an answer must not look like a whole one.
      answer.on("error", () => response.destroy());
    });
    upstream.on("error", (error) => {
      if (response.headersSent) response.destroy();
      else onUnreachable(error);
    });
    // A client that gives up must end its request at the owner too: Engine.IO notices a lost poll by that.
    response.on("close", () => {
      if (!response.writableFinished) upstream.destroy();
    });
    request.pipe(upstream);
  }

  /** Forwards an upgrade: the head is written again as it was, and from there on bytes pass both ways. */
  forwardUpgrade(
    path: string,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    onUnreachable: (error: Error) => void,
  ): void {
    const upstream = connect({ path });
    let connected = false;
    upstream.once("connect", () => {
      connected = true;
      upstream.write(requestHead(request));
      if (head.length > 0) upstream.write(head);
      socket.pipe(upstream);
      upstream.pipe(socket);
    });
    upstream.on("error", (error) => {
      if (connected) socket.destroy();
      else onUnreachable(error);
    });
    upstream.on("close", () => {
      if (connected) socket.destroy();
    });
    socket.on("error", () => upstream.destroy());
    socket.on("close", () => upstream.destroy());
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Headers that are about one connection and not about the message. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"]);

function withoutHopByHop(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    const value = rawHeaders[i + 1];
    if (name !== undefined && value !== undefined && !HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

function requestHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return `${head}\r\n`;
}
