/**
 * One Engine.IO session: handshake, heartbeat, upgrade, an orderly end. It behaves as engine.io-client does, in the
 * order of its packets too; what it does not have is WebTransport and compression.
 */
import { type EnginePacket, type EngineType, countFitting, ProtocolError } from "./engine-codec.ts";
import {
  countError,
  type DisconnectReason,
  sessionsClosed,
  sessionsOpened,
  type TransportName,
  upgradeTime,
} from "./metrics.ts";
import { PollingTransport } from "./polling-transport.ts";
import type { RequestContext, Transport, TransportHandlers } from "./transport.ts";
import { WebSocketTransport } from "./websocket-transport.ts";

/** "upgrade" begins with polling and goes over to WebSocket, as stock clients do. */
export type TransportMode = "polling" | "upgrade" | "websocket";

export interface EngineHandlers {
  onOpen(): void;
  onMessage(data: string | ArrayBuffer): void;
  onUpgrade(): void;
  /** Once, last. */
  onClose(reason: DisconnectReason, error?: Error): void;
}

/** Beyond the server's own limits, so that the server's answer is what decides. */
const POLL_MARGIN_MS = 5_000;

interface Handshake {
  readonly sid: string;
  readonly upgrades: readonly string[];
  readonly pingInterval: number;
  readonly pingTimeout: number;
  readonly maxPayload: number;
}

export class Engine {
  readonly #context: RequestContext;
  readonly #mode: TransportMode;
  readonly #handlers: EngineHandlers;
  #transport: Transport;
  #probe: WebSocketTransport | undefined;
  #handshake: Handshake | undefined;
  #queue: EnginePacket[] = [];
  #upgrading = false;
  #state: "opening" | "open" | "closing" | "closed" = "opening";
  #pingTimer: ReturnType<typeof setTimeout> | undefined;

  /** Opens at once. `openTimeoutMs` bounds the first request of a polling session only; the caller bounds the rest. */
  constructor(context: RequestContext, mode: TransportMode, openTimeoutMs: number, handlers: EngineHandlers) {
    this.#context = context;
    this.#mode = mode;
    this.#handlers = handlers;
    const listener = this.#transportHandlers();
    this.#transport =
      mode === "websocket"
        ? new WebSocketTransport(context, undefined, listener)
        : new PollingTransport(context, openTimeoutMs, listener);
  }

  get transport(): TransportName {
    return this.#transport.name;
  }

  /** The session id, once there is one. */
  get id(): string | undefined {
    return this.#handshake?.sid;
  }

  send(data: string | ArrayBuffer): void {
    this.#sendPacket("message", data);
  }

  /** Sends what is queued, ends an upgrade under way, then closes; `onClose` tells when. */
  close(): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    const opened = this.#state === "open";
    this.#state = "closing";
    if (!opened || this.#isIdle()) this.#end("io_client_disconnect");
  }

  #transportHandlers(): TransportHandlers {
    return {
      onPacket: (packet) => {
        this.#onPacket(packet);
      },
      onDrain: () => {
        this.#flush();
        if (this.#state === "closing" && this.#isIdle()) this.#end("io_client_disconnect");
      },
      onClose: (error) => {
        if (error === undefined) this.#end("transport_close");
        else this.#end(error instanceof ProtocolError ? "parse_error" : "transport_error", error);
      },
    };
  }

  #onPacket(packet: EnginePacket): void {
    if (this.#state === "closed") return;
    switch (packet.type) {
      case "open":
        this.#onHandshake(packet.data);
        break;
      case "ping":
        this.#sendPacket("pong", "");
        this.#awaitPing();
        break;
      case "message":
        this.#handlers.onMessage(packet.data);
        break;
      case "close":
        this.#end("transport_close");
        break;
      case "noop":
      case "pong":
      case "upgrade":
        break;
    }
  }

  #onHandshake(data: string | ArrayBuffer): void {
    const handshake = parseHandshake(data);
    if (handshake === undefined || this.#handshake !== undefined) {
      const error = new ProtocolError("the server's first packet is no handshake");
      this.#end("parse_error", error);
      return;
    }
    this.#handshake = handshake;
    if (this.#transport instanceof PollingTransport) this.#transport.adopt(handshake.sid, this.#patienceMs(handshake));
    this.#state = "open";
    sessionsOpened.add(1, { transport: this.transport });
    this.#awaitPing();
    this.#handlers.onOpen();
    this.#flush();
    if (this.#mode === "upgrade" && handshake.upgrades.includes("websocket")) this.#startProbe(handshake.sid);
  }

  #patienceMs(handshake: Handshake): number {
    return handshake.pingInterval + handshake.pingTimeout + POLL_MARGIN_MS;
  }

  /** No ping for this long means that the server, or the way to it, is gone. */
  #awaitPing(): void {
    clearTimeout(this.#pingTimer);
    if (this.#handshake === undefined) return;
    this.#pingTimer = setTimeout(() => {
      this.#end("ping_timeout");
    }, this.#handshake.pingInterval + this.#handshake.pingTimeout);
  }

  #startProbe(sid: string): void {
    const startedMs = Date.now();
    const probe = new WebSocketTransport(this.#context, sid, {
      onDrain: () => {
        probe.send([{ type: "ping", data: "probe" }]);
      },
      onPacket: (packet) => {
        // After the switch this transport is the session's own.
        if (this.#transport === probe) this.#onPacket(packet);
        else if (packet.type === "pong" && packet.data === "probe") this.#switchTo(probe, startedMs);
        else this.#abandonProbe(new ProtocolError("the answer to the probe is no pong"));
      },
      onClose: (error) => {
        if (this.#transport === probe) this.#transportHandlers().onClose(error);
        else this.#abandonProbe(error ?? new Error("closed while probing"));
      },
    });
    this.#probe = probe;
  }

  /** Nothing may be sent between the last polling request and the upgrade packet, so the queue waits meanwhile. */
  #switchTo(probe: WebSocketTransport, startedMs: number): void {
    if (!(this.#transport instanceof PollingTransport)) return;
    this.#upgrading = true;
    this.#transport.pause(() => {
      if (this.#probe !== probe || this.#state === "closed") return;
      this.#transport = probe;
      this.#probe = undefined;
      this.#upgrading = false;
      probe.send([{ type: "upgrade", data: "" }]);
      upgradeTime.add(Date.now() - startedMs);
      this.#handlers.onUpgrade();
      this.#flush();
      if (this.#state === "closing" && this.#isIdle()) this.#end("io_client_disconnect");
    });
  }

  /** The session goes on by polling. */
  #abandonProbe(error: Error): void {
    if (this.#probe === undefined) return;
    this.#probe.close();
    this.#probe = undefined;
    this.#upgrading = false;
    countError("upgrade", error.message);
    if (this.#transport instanceof PollingTransport) this.#transport.resume();
    this.#flush();
    if (this.#state === "closing" && this.#isIdle()) this.#end("io_client_disconnect");
  }

  #sendPacket(type: EngineType, data: string | ArrayBuffer): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#queue.push({ type, data });
    this.#flush();
  }

  #flush(): void {
    if (this.#handshake === undefined || this.#upgrading || this.#queue.length === 0) return;
    if (this.#state === "closed" || !this.#transport.writable) return;
    const count =
      this.transport === "polling" ? countFitting(this.#queue, this.#handshake.maxPayload) : this.#queue.length;
    this.#transport.send(this.#queue.splice(0, count));
  }

  #isIdle(): boolean {
    return this.#queue.length === 0 && !this.#upgrading && this.#transport.writable;
  }

  #end(reason: DisconnectReason, error?: Error): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#pingTimer);
    this.#probe?.close();
    this.#probe = undefined;
    this.#transport.close();
    if (this.#handshake !== undefined) sessionsClosed.add(1, { transport: this.transport });
    this.#handlers.onClose(reason, error);
  }
}

function parseHandshake(data: string | ArrayBuffer): Handshake | undefined {
  if (typeof data !== "string") return undefined;
  let value: Partial<Handshake>;
  try {
    value = JSON.parse(data) as Partial<Handshake>;
  } catch {
    return undefined;
  }
  const numbers = [value.pingInterval, value.pingTimeout, value.maxPayload];
  if (typeof value.sid !== "string" || !Array.isArray(value.upgrades)) return undefined;
  return numbers.every((number) => typeof number === "number") ? (value as Handshake) : undefined;
}
