/** Engine.IO's server with session ids that carry their owner's address, and transports that wait for the join gate. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerOptions } from "engine.io";
import { Server, type Socket, type Transport } from "engine.io";
import type { HandshakeAnswer } from "../access/refusals.js";
import { plain } from "../lib/plain.js";
import { createSid } from "../routing/address.js";
import { sidOf } from "../routing/request-line.js";
import type { EngineInternals, EngineRequest, PollingInternals, UpgradeInternals } from "./internals.js";
import type { JoinGate } from "./join-gate.js";
import type { PollingBounds } from "./polling-bounds.js";
import { TurnTransport } from "./transport.js";
import type { WriteTurn } from "./write-turn.js";

const PROTOCOL = "4";

export class Engine extends Server {
  /** What every session of this worker begins with. */
  readonly sidPrefix: string;
  readonly #gate: JoinGate;
  readonly #polling: PollingBounds;
  readonly #turn: WriteTurn | undefined;

  /** @param turn when WebSockets are written to; without it by Engine.IO's own transport, packet by packet */
  constructor(options: ServerOptions, sidPrefix: string, gate: JoinGate, polling: PollingBounds, turn?: WriteTurn) {
    super(options);
    this.#polling = polling;
    this.sidPrefix = sidPrefix;
    this.#gate = gate;
    this.#turn = turn;
    const { ws: upgrades } = this as unknown as EngineInternals;
    if (upgrades !== undefined && turn !== undefined) this.#joinFirstWrites(upgrades);
  }

  /** The answer to an upgrade and the session's first packet leave in one write: Engine.IO sends that one microtask later. */
  #joinFirstWrites(upgrades: UpgradeInternals): void {
    upgrades.handleUpgrade = (request, socket, head, done) => {
      const { sid, EIO } = request._query;
      // Others have nothing to say at once, or are refused.
      const opens = sid === undefined && EIO === PROTOCOL;
      if (opens) socket.cork();
      plain(upgrades).handleUpgrade.call(upgrades, request, socket, head, done);
      if (opens) queueMicrotask(() => socket.uncork());
    };
  }

  get sessions(): readonly Socket[] {
    return Object.values(this.clients);
  }

  /** The session that the transport belongs to. */
  sessionOf({ sid }: Transport): Socket | undefined {
    return Object.hasOwn(this.clients, sid) ? this.clients[sid] : undefined;
  }

  override generateId(): string {
    return createSid(this.sidPrefix);
  }

  /**
   * A goodbye is answered "ok" as well where the session is gone: what the client asks for is done. Stock clients say it to a session that has just been
   * taken from them, too, and would have an error to show for it. One that has been read, on its way to an owner that ended, cannot be told from anything else.
   */
  override handleRequest(request: IncomingMessage, response: ServerResponse): void {
    const sid = mayBeGoodbye(request) && !request.readableDidRead ? sidOf(request.url ?? "") : undefined;
    if (sid === undefined || Object.hasOwn(this.clients, sid)) {
      super.handleRequest(request, response);
      return;
    }
    request.once("data", (body: Buffer) => {
      if (body.toString() !== GOODBYE) super.handleRequest(request, response);
      else
        this._applyMiddlewares(request, response, () => {
          if (!response.headersSent) response.writeHead(200, GOODBYE_HEADERS).end("ok");
        });
    });
  }

  protected override createTransport(...args: Parameters<Server["createTransport"]>): Transport {
    const [name, given] = args;
    const request = given as unknown as EngineRequest;
    const turn = name === "websocket" ? this.#turn : undefined;
    const transport =
      turn === undefined
        ? this.#gate.guard(super.createTransport(...args))
        : this.#gate.guardDeferred(new TurnTransport(request, turn));
    // Engine.IO names the session on a session's first transport only; the gate needs it on the one it upgrades to as well.
    const sid = request._query["sid"];
    if (sid !== undefined) transport.sid = sid;
    if (name === "polling") this.#polling.guard(transport);
    return transport;
  }

  /**
   * Ends every session so that stock clients come back by themselves. A poll that waits is answered 503, not with a CLOSE packet: after that one
   * python-socketio stays away.
   */
  override close(): this {
    for (const session of this.sessions) {
      const { transport } = session;
      if (transport.name === "polling") answerUnavailable(transport);
      session.close(true);
    }
    this.cleanup();
    return this;
  }

  /** Answers 503 with the headers (CORS among them) that the app's Engine.IO middlewares set. */
  refuse(request: IncomingMessage, response: ServerResponse, message: string): void {
    this.answer(request, response, { status: 503, retryAfterS: 1, body: JSON.stringify({ message }) });
  }

  /** The same with another answer, in JSON. */
  answer(request: IncomingMessage, response: ServerResponse, { status, retryAfterS, body }: HandshakeAnswer): void {
    this._applyMiddlewares(request, response, () => {
      if (response.headersSent) return;
      response.writeHead(status, { "Content-Type": "application/json", "Retry-After": String(retryAfterS) });
      response.end(body);
    });
  }
}

/** The whole body of a POST: a CLOSE packet. */
const GOODBYE = "1";
/** As Engine.IO answers one. */
const GOODBYE_HEADERS = { "Content-Type": "text/html", "Content-Length": "2", "cache-control": "no-store" };

function mayBeGoodbye({ method, headers }: IncomingMessage): boolean {
  return method === "POST" && headers["content-length"] === String(GOODBYE.length);
}

/** @returns whether a poll was waiting for an answer */
export function answerUnavailable(transport: PollingInternals): boolean {
  const { req, res } = transport;
  if (req === null || req === undefined || res === null || res === undefined) return false;
  // Engine.IO must not write to this poll any more.
  transport.writable = false;
  req.cleanup();
  res.writeHead(503, { "Retry-After": "1", "Content-Length": "0" }).end();
  return true;
}
