/**
 * A bare Engine.IO 4 client for tests of the protocol: nothing happens by itself. The test opens, polls, posts, upgrades and closes, on
 * connections it can choose. Packets are strings as on the wire: `2` a ping, `3` a pong, `4…` a message, `b…` binary in base64.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import { WebSocket, type RawData } from "ws";
import type { Scope } from "./children.js";
import { RawConnection, type RawResponse } from "./raw-http.js";
import { within } from "./wait.js";

const SEPARATOR = "\u001e";
const DEADLINE_MS = 10_000;

export interface Handshake {
  readonly sid: string;
  readonly upgrades: readonly string[];
  readonly pingInterval: number;
  readonly pingTimeout: number;
  readonly maxPayload: number;
}

export interface EngineOptions {
  readonly port: number;
  /** `/socket.io/` unless told. */
  readonly path?: string;
  /** More of the query, such as `appsid=1`. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Keep-alive connections to use; new ones unless given. Polls and POSTs may share one, if the test does not overlap them. */
  readonly pollConnection?: RawConnection;
  readonly postConnection?: RawConnection;
  readonly timeoutMs?: number;
}

/** An answer that is not 200. */
export class EngineRefusal extends Error {
  readonly status: number;
  /** Engine.IO's error code, where the body has one. */
  readonly code: number | undefined;

  constructor(what: string, { status, text }: Pick<RawResponse, "status" | "text">) {
    super(`${what} answered ${status}: ${text.slice(0, 200)}`);
    this.status = status;
    this.code = codeIn(text);
  }
}

/** A polling session; {@link PollingSession.upgrade} makes a {@link WebSocketSession} of it. */
export class PollingSession {
  readonly handshake: Handshake;
  readonly pollConnection: RawConnection;
  readonly #scope: Scope;
  readonly #options: EngineOptions;
  #postConnection: RawConnection | undefined;

  private constructor(scope: Scope, options: EngineOptions, pollConnection: RawConnection, handshake: Handshake) {
    this.#scope = scope;
    this.#options = options;
    this.pollConnection = pollConnection;
    this.#postConnection = options.postConnection;
    this.handshake = handshake;
  }

  /** @throws EngineRefusal */
  static async open(scope: Scope, options: EngineOptions): Promise<PollingSession> {
    const connection = options.pollConnection ?? (await RawConnection.open(scope, options.port));
    const target = engineTarget(options, "polling");
    const response = await connection.request({ target, headers: { ...options.headers } }, options.timeoutMs);
    if (response.status !== 200) throw new EngineRefusal("the handshake", response);
    return new PollingSession(scope, options, connection, readHandshake(response.text));
  }

  get sid(): string {
    return this.handshake.sid;
  }

  get target(): string {
    return engineTarget(this.#options, "polling", this.sid);
  }

  /**
   * Waits for the next packets of the server.
   *
   * @throws EngineRefusal
   */
  async poll(timeoutMs = this.#options.timeoutMs ?? DEADLINE_MS): Promise<string[]> {
    const request = { target: this.target, headers: { ...this.#options.headers } };
    const response = await this.pollConnection.request(request, timeoutMs);
    if (response.status !== 200) throw new EngineRefusal("a poll", response);
    return response.text.split(SEPARATOR);
  }

  /**
   * Sends packets in one POST.
   *
   * @throws EngineRefusal
   */
  async post(...packets: string[]): Promise<void> {
    const response = await this.request({ method: "POST", body: packets.join(SEPARATOR) });
    if (response.status !== 200 || response.text !== "ok") throw new EngineRefusal("a POST", response);
  }

  /** Any request for this session on the connection of the POSTs, whatever comes of it. */
  async request({ method, body }: { method: string; body?: string | Buffer }): Promise<RawResponse> {
    this.#postConnection ??= await RawConnection.open(this.#scope, this.#options.port);
    return this.#postConnection.request(
      {
        method,
        target: this.target,
        headers: { ...this.#options.headers, "Content-Type": "text/plain;charset=UTF-8" },
        ...(body === undefined ? {} : { body }),
      },
      this.#options.timeoutMs,
    );
  }

  /** Joins the main namespace of Socket.IO. @returns the socket's id */
  async joinMain(): Promise<string> {
    await this.post("40");
    return readJoined(await this.poll());
  }

  /**
   * Upgrades as stock clients do: probe, a last poll that the server ends with a noop, upgrade.
   *
   * @param connection a connection to use instead of a new one
   * @returns the session on its new transport, and what the last poll brought besides the noop
   */
  async upgrade(connection?: Socket): Promise<{ session: WebSocketSession; rest: string[] }> {
    const session = await WebSocketSession.attach(this.#scope, this.#options, this.handshake, connection);
    session.send("2probe");
    const pong = await session.next();
    if (pong !== "3probe") throw new Error(`the probe was answered ${JSON.stringify(pong)}`);
    const rest = (await this.poll()).filter((packet) => packet !== "6");
    session.send("5");
    return { session, rest };
  }

  /** Ends the session as stock clients do. */
  async close(): Promise<void> {
    await this.post("1");
  }
}

/** A session over WebSocket. */
export class WebSocketSession {
  readonly handshake: Handshake;
  readonly socket: WebSocket;
  readonly #timeoutMs: number;
  readonly #packets: (string | Buffer)[] = [];
  #wake: () => void = () => undefined;

  private constructor(socket: WebSocket, handshake: Handshake | undefined, timeoutMs: number) {
    this.socket = socket;
    this.#timeoutMs = timeoutMs;
    socket.on("message", (data: RawData, isBinary) => {
      this.#packets.push(isBinary ? (data as Buffer) : (data as Buffer).toString());
      this.#wake();
    });
    socket.on("close", () => this.#wake());
    this.handshake = handshake ?? { sid: "", upgrades: [], pingInterval: 0, pingTimeout: 0, maxPayload: 0 };
  }

  /** Opens a session with WebSocket alone. @throws EngineRefusal */
  static async open(scope: Scope, options: EngineOptions, connection?: Socket): Promise<WebSocketSession> {
    const opening = await WebSocketSession.attach(scope, options, undefined, connection);
    const first = await opening.next();
    if (typeof first !== "string") throw new Error("the server's first packet is binary");
    return Object.assign(opening, { handshake: readHandshake(first) });
  }

  /** Connects for the session of that handshake, or for a new one. @throws EngineRefusal */
  static async attach(
    scope: Scope,
    options: EngineOptions,
    handshake: Handshake | undefined,
    connection?: Socket,
  ): Promise<WebSocketSession> {
    const { timeoutMs = DEADLINE_MS, port, headers } = options;
    const url = `ws://127.0.0.1:${port}${engineTarget(options, "websocket", handshake?.sid)}`;
    const socket = new WebSocket(url, {
      headers: { ...headers },
      perMessageDeflate: false,
      ...(connection === undefined ? {} : { createConnection: () => connection }),
    });
    scope.after(() => socket.terminate());
    const session = new WebSocketSession(socket, handshake, timeoutMs);
    const refused = new Promise<never>((_, reject) => {
      socket.on("unexpected-response", (_request, response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("close", () => {
          reject(new EngineRefusal("the WebSocket handshake", { status: response.statusCode ?? 0, text }));
        });
      });
      socket.on("error", reject);
    });
    refused.catch(() => undefined);
    await within(Promise.race([once(socket, "open"), refused]), timeoutMs, "the WebSocket to open");
    return session;
  }

  get sid(): string {
    return this.handshake.sid;
  }

  get closed(): boolean {
    return this.socket.readyState === WebSocket.CLOSED;
  }

  send(packet: string | Buffer): void {
    this.socket.send(packet);
  }

  /** The next packet. @throws Error where none comes in time, or the connection is closed */
  async next(timeoutMs = this.#timeoutMs): Promise<string | Buffer> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const packet = this.#packets.shift();
      if (packet !== undefined) return packet;
      if (this.closed) throw new Error("the WebSocket was closed");
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      await within(woken, Math.max(0, Math.round(deadline - performance.now())), "a packet");
    }
  }

  /** Joins the main namespace of Socket.IO. @returns the socket's id */
  async joinMain(): Promise<string> {
    this.send("40");
    const packet = await this.next();
    return readJoined([String(packet)]);
  }

  /** Ends the session and waits until the connection is closed. */
  async close(): Promise<void> {
    if (this.closed) return;
    const closed = once(this.socket, "close");
    this.socket.close();
    await within(closed, this.#timeoutMs, "the WebSocket to close");
  }
}

/** The request target of an Engine.IO request. */
export function engineTarget(
  { path = "/socket.io/", query }: Pick<EngineOptions, "path" | "query">,
  transport: "polling" | "websocket",
  sid?: string,
): string {
  const session = sid === undefined ? "" : `&sid=${sid}`;
  return `${path}?${query === undefined ? "" : `${query}&`}EIO=4&transport=${transport}${session}`;
}

function readHandshake(packet: string): Handshake {
  if (!packet.startsWith("0{")) throw new Error(`not an open packet: ${packet.slice(0, 200)}`);
  return JSON.parse(packet.slice(1)) as Handshake;
}

function readJoined(packets: readonly string[]): string {
  const [packet = ""] = packets;
  if (!packet.startsWith("40{")) throw new Error(`the namespace was not joined: ${JSON.stringify(packets)}`);
  return (JSON.parse(packet.slice(2)) as { sid: string }).sid;
}

function codeIn(text: string): number | undefined {
  try {
    const { code } = JSON.parse(text) as { code?: unknown };
    return typeof code === "number" ? code : undefined;
  } catch {
    // A refusal of nginx or of the front, which is no JSON.
    return undefined;
  }
}
