/**
 * A worker's HTTP server. It takes the connections that the front hands over, and requests that siblings forward over its Unix socket; listening
 * there also starts the timeouts that Node's server only runs when it listens.
 */
import { STATUS_CODES, createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setupWorker } from "@socket.io/sticky";
import type { HandshakeAnswer } from "../access/refusals.js";
import type { HttpListener } from "../apps/contract.js";
import { NODE_PATH } from "../bus/node-probe.js";
import type { Config } from "../config/config.js";
import { destroyThis } from "../lib/destroy-this.js";
import { enginePathOf, isEnginePath, sidOf } from "../routing/request-line.js";
import type { Engine } from "./engine.js";
import type { Entrance } from "./entrance.js";
import type { Rescue } from "./rescue.js";

const SHUTTING_DOWN = "This worker is shutting down.";

/** How long an upgrade that nobody takes may stay: as long as Engine.IO leaves it. */
const STRAY_UPGRADE_MS = 1_000;

/** How long at least and at most until somebody looks which requests take too long: it wakes a worker that has none, too. */
const MIN_CHECK_MS = 1_000;
const MAX_CHECK_MS = 5_000;
/** Of a timeout, how much later it may be noticed. */
const LATE_SHARE = 1 / 8;

export interface HttpServerOptions {
  readonly config: Config;
  readonly engine: Engine;
  readonly rescue: Rescue;
  readonly entrance: Entrance;
  /** What whoever asks for the node at this address is told. */
  readonly node: { readonly uid: string; readonly id: number };
  readonly onListenerError: (error: unknown) => void;
}

export class HttpServer {
  readonly server: Server;
  readonly #options: HttpServerOptions;
  readonly #enginePath: string;
  /** Without that transport Engine.IO has nothing to upgrade with. */
  readonly #takesWebSocket: boolean;
  #listener: HttpListener | undefined;
  #draining = false;

  constructor(options: HttpServerOptions) {
    const { http, socketio } = options.config;
    this.#options = options;
    this.#enginePath = enginePathOf(socketio.path);
    this.#takesWebSocket = socketio.transports.includes("websocket");
    this.server = createServer({
      headersTimeout: http.headersTimeoutMs,
      requestTimeout: http.requestTimeoutMs,
      keepAliveTimeout: http.keepAliveTimeoutMs,
      connectionsCheckingInterval: checkIntervalOf(http.headersTimeoutMs),
      noDelay: true,
    });
    this.server.on("request", (request, response) => this.#onRequest(request, response));
    this.server.on("upgrade", (request, socket, head) => this.#onUpgrade(request, socket, head));
  }

  /** Requests that are not Socket.IO's. */
  setListener(listener: HttpListener): void {
    if (this.#listener !== undefined)
      throw new Error("limpet.http() was called before: one listener takes all requests");
    this.#listener = listener;
  }

  /**
   * Starts taking connections from the front, by the worker half of @socket.io/sticky. It sees the server through a door that marks what comes
   * from the front, and that leaves out its forced `Connection: close`: a later request for another worker is rescued instead. Nor does it see
   * sessions, of which it would tell the primary one by one: {@link SessionReport} does.
   */
  takeConnections(): void {
    const httpServer = {
      emit: (_event: "connection", socket: ClientConnection): void => {
        socket[REQUEST] = "first";
        this.server.emit("connection", socket);
      },
      prependListener: (): void => {},
    };
    const engine = { on: (): void => {} };
    setupWorker({ httpServer, engine } as unknown as Parameters<typeof setupWorker>[0]);
  }

  /** Takes a connection that came past the front. */
  takeDirect(socket: ClientConnection): void {
    socket[REQUEST] = "later";
    this.server.emit("connection", socket);
  }

  /** @param path a fresh one: with `exclusive` its file outlives a SIGKILL */
  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject);
      // Without `exclusive` the cluster's primary would listen, and a busy primary would hold up forwarded requests.
      this.server.listen({ path, exclusive: true }, () => {
        this.server.off("error", reject);
        resolve();
      });
    });
  }

  /** From now on each connection ends with its next answer, and no session begins. */
  drain(): void {
    this.#draining = true;
    this.server.closeIdleConnections();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { engine, rescue, entrance, onListenerError } = this.#options;
    const url = request.url ?? "";
    const isFirst = isFirstOf(request.socket);
    if (this.#draining) response.shouldKeepAlive = false;
    if (this.#isHandshake(url)) {
      if (this.#draining) engine.refuse(request, response, SHUTTING_DOWN);
      else
        entrance.handle(
          {
            request,
            end: response,
            serve: () => rescue.handle(request, response, isBySibling(request)),
            refuse: (answer) => engine.answer(request, response, answer),
          },
          isFirst,
        );
    } else if (isEnginePath(url, this.#enginePath)) {
      rescue.handle(request, response, isBySibling(request));
    } else if (url === NODE_PATH && request.method === "GET") {
      response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" });
      response.end(JSON.stringify(this.#options.node));
    } else if (this.#listener === undefined) {
      response.writeHead(404, { "Content-Type": "text/plain" }).end("Not found\n");
    } else {
      this.#callListener(this.#listener, request, response).catch((error: unknown) => {
        onListenerError(error);
        if (response.headersSent) response.destroy();
        else response.writeHead(500, { "Content-Type": "text/plain" }).end("Internal server error\n");
      });
    }
  }

  /** What a listener throws, at once or later, must not end the worker. */
  async #callListener(listener: HttpListener, request: IncomingMessage, response: ServerResponse): Promise<void> {
    await listener(request, response);
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const url = request.url ?? "";
    const isFirst = isFirstOf(request.socket);
    if (!isEnginePath(url, this.#enginePath) || !this.#takesWebSocket) {
      closeUnlessTaken(socket as Socket);
      return;
    }
    // Node has taken its own listener away; a connection that breaks must not end the worker.
    socket.on("error", destroyThis);
    const serve = (): void => this.#options.rescue.handleUpgrade(request, socket, head, isBySibling(request));
    if (!this.#isHandshake(url)) {
      serve();
      return;
    }
    const refuse = (answer: HandshakeAnswer): void => refuseUpgrade(socket, answer);
    if (this.#draining) refuse({ status: 503, retryAfterS: 1, body: "" });
    else this.#options.entrance.handle({ request, end: socket, serve, refuse }, isFirst);
  }

  /** Whether a session would come of it. */
  #isHandshake(url: string): boolean {
    return isEnginePath(url, this.#enginePath) && sidOf(url) === undefined;
  }
}

const REQUEST = Symbol("request");

/**
 * A connection of a client: from the front, or past it. Only what is none came over the Unix socket. The first request on one from the front is what that
 * has read, and counted where it is a handshake.
 */
type ClientConnection = Socket & { [REQUEST]?: "first" | "later" };

function isFirstOf(connection: ClientConnection): boolean {
  if (connection[REQUEST] !== "first") return false;
  connection[REQUEST] = "later";
  return true;
}

const checkIntervalOf = (timeoutMs: number): number =>
  Math.min(MAX_CHECK_MS, Math.max(MIN_CHECK_MS, timeoutMs * LATE_SHARE));

function isBySibling({ socket }: IncomingMessage): boolean {
  return (socket as ClientConnection)[REQUEST] === undefined;
}

function refuseUpgrade(socket: Duplex, { status, retryAfterS, body }: HandshakeAnswer): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\nRetry-After: ${retryAfterS}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Ends an upgrade that is not Engine.IO's, unless a listener of the app on io.httpServer answers it soon. */
function closeUnlessTaken(socket: Socket): void {
  const writtenBefore = socket.bytesWritten;
  const timer = setTimeout(() => {
    if (socket.bytesWritten === writtenBefore) socket.destroy();
  }, STRAY_UPGRADE_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.on("error", destroyThis);
}
