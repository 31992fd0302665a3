/** A Socket.IO client for k6: one connection, the namespaces on it, and how it comes back. */
import http from "k6/http";
import { Engine, type TransportMode } from "./engine.ts";
import { ProtocolError } from "./engine-codec.ts";
import { countError, type DisconnectReason, type TransportName } from "./metrics.ts";
import { encodePacket, type Json, type Packet, PacketDecoder } from "./packet-codec.ts";
import { type Connection, Socket } from "./socket.ts";
import type { RequestContext } from "./transport.ts";

export interface ReconnectionOptions {
  /** First delay; each failure doubles it. Default 1,000. */
  readonly delayMs?: number;
  /** Default 5,000. */
  readonly maxDelayMs?: number;
  /** 0.5 spreads each delay by ±50 %, which is the default. */
  readonly jitter?: number;
  /** Failures in a row before it gives up. Default: it does not. */
  readonly attempts?: number;
}

export interface ClientOptions {
  /** Default "upgrade", as stock clients do. */
  readonly transport?: TransportMode;
  /** Default "/socket.io/". */
  readonly path?: string;
  /** Query parameters of every request. */
  readonly query?: Readonly<Record<string, string>>;
  /** Headers of every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent with the CONNECT packet of the main namespace. */
  readonly auth?: Json;
  /** Off unless given: in a load test a lost connection is usually the finding. */
  readonly reconnection?: ReconnectionOptions | true;
  /** From the start of an attempt to the CONNECT packet. Default 20,000. */
  readonly connectTimeoutMs?: number;
  /** For `emitWithAck`. Default 10,000. */
  readonly ackTimeoutMs?: number;
}

/** As in stock clients: nothing is sent before the main socket, or another, calls `connect()`. */
export class Client {
  readonly #context: RequestContext;
  readonly #options: ClientOptions;
  readonly #sockets = new Map<string, Socket>();
  /** Those that want the connection, and get it back after a loss. */
  readonly #attached = new Set<Socket>();
  readonly #connection: Connection;
  #engine: Engine | undefined;
  #engineOpen = false;
  #failures = 0;
  #connectTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  /** @param url origin of the server, such as http://127.0.0.1:3000 */
  constructor(url: string, options: ClientOptions = {}) {
    this.#options = options;
    this.#context = makeContext(url, options);
    const transport = (): TransportName => this.transport;
    this.#connection = {
      get transport() {
        return transport();
      },
      defaultAckTimeoutMs: options.ackTimeoutMs ?? 10_000,
      send: (packet) => {
        this.#send(packet);
      },
      attach: (socket) => {
        this.#attach(socket);
      },
      detach: (socket) => {
        this.#detach(socket);
      },
    };
  }

  /** What carries packets at this moment. */
  get transport(): TransportName {
    return this.#engine?.transport ?? (this.#options.transport === "websocket" ? "websocket" : "polling");
  }

  /** The Engine.IO session id, while there is one. */
  get id(): string | undefined {
    return this.#engine?.id;
  }

  /** The socket of a namespace; always the same one. `auth` counts only at the first call. */
  socket(nsp = "/", auth: Json | undefined = nsp === "/" ? this.#options.auth : undefined): Socket {
    const known = this.#sockets.get(nsp);
    if (known !== undefined) return known;
    const socket = new Socket(this.#connection, nsp, auth);
    this.#sockets.set(nsp, socket);
    return socket;
  }

  /** Leaves every namespace and closes the connection. */
  close(): void {
    clearTimeout(this.#retryTimer);
    for (const socket of [...this.#attached]) socket.disconnect();
  }

  #attach(socket: Socket): void {
    this.#attached.add(socket);
    if (this.#engine === undefined) {
      clearTimeout(this.#retryTimer);
      this.#open();
    } else {
      socket.onAttempt();
      if (this.#engineOpen) this.#connectNamespace(socket);
    }
  }

  #detach(socket: Socket): void {
    this.#attached.delete(socket);
    if (this.#attached.size > 0) return;
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#retryTimer);
    const engine = this.#engine;
    this.#engine = undefined;
    this.#engineOpen = false;
    engine?.close();
  }

  #open(): void {
    const { transport = "upgrade", connectTimeoutMs = 20_000 } = this.#options;
    const decoder = new PacketDecoder();
    for (const socket of this.#attached) socket.onAttempt();
    const engine: Engine = new Engine(this.#context, transport, connectTimeoutMs, {
      onOpen: () => {
        if (this.#engine !== engine) return;
        this.#engineOpen = true;
        for (const socket of this.#attached) this.#connectNamespace(socket);
      },
      onMessage: (data) => {
        if (this.#engine === engine) this.#onMessage(decoder, data);
      },
      onUpgrade: () => {
        if (this.#engine === engine) for (const socket of this.#attached) socket.onUpgrade();
      },
      onClose: (reason, error) => {
        if (this.#engine === engine) this.#onClose(reason, error);
      },
    });
    this.#engine = engine;
    this.#connectTimer = setTimeout(() => {
      countError("connect_timeout", `no connection after ${connectTimeoutMs} ms`);
      this.#abort("transport_close");
    }, connectTimeoutMs);
  }

  #connectNamespace(socket: Socket): void {
    const { nsp, auth } = socket;
    this.#send(auth === undefined ? { type: "connect", nsp } : { type: "connect", nsp, data: auth });
  }

  #onMessage(decoder: PacketDecoder, data: string | ArrayBuffer): void {
    let packet: Packet | undefined;
    try {
      packet = decoder.add(data);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      countError("parse", error.message);
      this.#abort("parse_error");
      return;
    }
    if (packet === undefined) return;
    if (packet.type === "connect") {
      clearTimeout(this.#connectTimer);
      this.#failures = 0;
    }
    this.#sockets.get(packet.nsp)?.onPacket(packet);
  }

  #send(packet: Packet): void {
    for (const frame of encodePacket(packet)) this.#engine?.send(frame);
  }

  /** Gives the connection up from this side, for a reason that is not the script's wish. */
  #abort(reason: DisconnectReason): void {
    const engine = this.#engine;
    this.#onClose(reason, undefined);
    engine?.close();
  }

  #onClose(reason: DisconnectReason, error: Error | undefined): void {
    clearTimeout(this.#connectTimer);
    this.#engine = undefined;
    this.#engineOpen = false;
    if (reason === "ping_timeout") countError("ping_timeout", "no ping from the server");
    if (error !== undefined) countError(reason === "parse_error" ? "parse" : "transport", error.message);
    this.#failures += 1;
    const delayMs = this.#retryDelayMs();
    for (const socket of [...this.#attached]) socket.onConnectionLost(reason, delayMs === undefined);
    if (delayMs === undefined) {
      this.#attached.clear();
    } else if (this.#attached.size > 0) {
      this.#retryTimer = setTimeout(() => {
        this.#open();
      }, delayMs);
    }
  }

  /** As stock clients do it: the first try after a loss waits too. Undefined: no further try. */
  #retryDelayMs(): number | undefined {
    const { reconnection } = this.#options;
    if (reconnection === undefined) return undefined;
    const {
      delayMs = 1_000,
      maxDelayMs = 5_000,
      jitter = 0.5,
      attempts = Infinity,
    } = reconnection === true ? {} : reconnection;
    if (this.#failures > attempts) return undefined;
    const spread = 1 + jitter * (Math.random() * 2 - 1);
    return Math.min(maxDelayMs, delayMs * 2 ** (this.#failures - 1) * spread);
  }
}

/** A connected socket of the main namespace: the short way for most scripts. @throws as `Socket.connect` does */
export async function connect(url: string, options?: ClientOptions): Promise<Socket> {
  const socket = new Client(url, options).socket();
  await socket.connect();
  return socket;
}

function makeContext(url: string, options: ClientOptions): RequestContext {
  const base = `${url.replace(/\/+$/, "")}${options.path ?? "/socket.io/"}`;
  return {
    url: (transport, sid) => {
      const query = { ...options.query, EIO: "4", transport, ...(sid === undefined ? {} : { sid }) };
      const pairs = Object.entries(query).map(
        ([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`,
      );
      return `${base}?${pairs.join("&")}`;
    },
    headers: options.headers ?? {},
    jar: new http.CookieJar(),
  };
}
