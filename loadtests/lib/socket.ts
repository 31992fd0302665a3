/** One namespace of a client: events, acknowledgements both ways, its own life within the connection. */
import {
  connectTime,
  countDisconnect,
  countError,
  type DisconnectReason,
  eventRtt,
  messagesReceived,
  messagesSent,
  type TransportName,
} from "./metrics.ts";
import { type Json, type Packet, RESERVED_EVENTS } from "./packet-codec.ts";

/** Arguments are what the sender gave: JSON values, and an ArrayBuffer for whatever was binary. */
export type Listener<A extends unknown[]> = (...args: A) => void;
/** What an event's last argument is when its sender wants an answer. */
export type Acknowledge = (...args: unknown[]) => void;

/** The server refused a namespace; `data` is what its middleware attached. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly data: unknown;

  constructor(message: string, data?: unknown) {
    super(message);
    this.data = data;
  }
}

/** What a socket needs of the connection it shares with the other namespaces. */
export interface Connection {
  readonly transport: TransportName;
  readonly defaultAckTimeoutMs: number;
  send(packet: Packet): void;
  /** Opens the connection if it is not, and sends this namespace's CONNECT. */
  attach(socket: Socket): void;
  /** Ends the connection when no namespace needs it any more. */
  detach(socket: Socket): void;
}

interface Pending {
  readonly resolve: (args: readonly unknown[]) => void;
  readonly reject: (error: Error) => void;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

type Outgoing = Extract<Packet, { type: "event" }>;

export class Socket {
  readonly nsp: string;
  readonly auth: Json | undefined;
  readonly #connection: Connection;
  readonly #listeners = new Map<string, Listener<unknown[]>[]>();
  readonly #acks = new Map<number, Pending>();
  #waiting: Waiting[] = [];
  #unsent: Outgoing[] = [];
  #nextAckId = 0;
  #state: "idle" | "connecting" | "connected" = "idle";
  #connectStartedMs = 0;
  #id: string | undefined;

  constructor(connection: Connection, nsp: string, auth: Json | undefined) {
    this.#connection = connection;
    this.nsp = nsp;
    this.auth = auth;
  }

  /** The id of this namespace's socket on the server, while connected. */
  get id(): string | undefined {
    return this.#id;
  }

  get connected(): boolean {
    return this.#state === "connected";
  }

  /** What carries packets at this moment. */
  get transport(): TransportName {
    return this.#connection.transport;
  }

  /**
   * Connects, or waits for the attempt under way; with reconnection on, for the first that succeeds.
   * @throws ConnectError when the server refuses; Error when the connection cannot be made, or ends first
   */
  connect(): Promise<void> {
    if (this.#state === "connected") return Promise.resolve();
    const result = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
    if (this.#state === "idle") {
      this.#state = "connecting";
      this.#connection.attach(this);
    }
    return result;
  }

  /** Also emits the library's own: "connect" (), "disconnect" (reason), "connect_error" (error), "upgrade" (). */
  on<A extends unknown[]>(event: string, listener: Listener<A>): this {
    const listeners = this.#listeners.get(event) ?? [];
    this.#listeners.set(event, [...listeners, listener as unknown as Listener<unknown[]>]);
    return this;
  }

  off(event: string, listener?: Listener<never[]>): this {
    const kept = listener === undefined ? [] : (this.#listeners.get(event) ?? []).filter((each) => each !== listener);
    this.#listeners.set(event, kept);
    return this;
  }

  /** Before the socket is connected, events wait for it. */
  emit(event: string, ...args: unknown[]): void {
    this.#send({ type: "event", nsp: this.nsp, data: [this.#checked(event), ...args] });
  }

  /**
   * Resolves with the first argument of the acknowledgement.
   * @throws Error when none came in time, or the connection ended first
   */
  emitWithAck<T = unknown>(event: string, ...args: unknown[]): Promise<T> {
    return this.timeout(this.#connection.defaultAckTimeoutMs).emitWithAck<T>(event, ...args);
  }

  /** As `emitWithAck`, with its own limit for this call. */
  timeout(timeoutMs: number): { emitWithAck<T = unknown>(event: string, ...args: unknown[]): Promise<T> } {
    return {
      emitWithAck: <T>(event: string, ...args: unknown[]) =>
        this.#request(timeoutMs, this.#checked(event), args).then((reply) => reply[0] as T),
    };
  }

  /** Leaves the namespace; the last one to leave closes the connection, after what is queued has been sent. */
  disconnect(): void {
    if (this.#state === "idle") return;
    if (this.#state === "connected") this.#connection.send({ type: "disconnect", nsp: this.nsp });
    this.#leave("io_client_disconnect");
    this.#connection.detach(this);
  }

  /** For the connection: an attempt to connect begins, the first or a later one. */
  onAttempt(): void {
    this.#state = "connecting";
    this.#connectStartedMs = Date.now();
  }

  onUpgrade(): void {
    this.#dispatch("upgrade", []);
  }

  /** An attempt failed; with `final` no other will be made. */
  onConnectFailure(error: Error, final: boolean): void {
    if (this.#state !== "connecting") return;
    this.#dispatch("connect_error", [error]);
    if (!final) return;
    this.#state = "idle";
    this.#settle((waiting) => {
      waiting.reject(error);
    });
  }

  /** The connection is gone. With `final` false it comes back, and so does this socket. */
  onConnectionLost(reason: DisconnectReason, final: boolean): void {
    if (this.#state === "connected") {
      this.#leave(reason);
      if (!final) this.#state = "connecting";
    } else {
      this.onConnectFailure(new Error(`the connection ended: ${reason}`), final);
    }
  }

  onPacket(packet: Packet): void {
    switch (packet.type) {
      case "connect":
        this.#onConnected(packet.data?.["sid"]);
        break;
      case "connect_error": {
        countError("connect_error", `${this.nsp}: ${String(packet.data["message"])}`);
        this.onConnectFailure(new ConnectError(String(packet.data["message"]), packet.data["data"]), true);
        this.#connection.detach(this);
        break;
      }
      case "disconnect":
        this.#leave("io_server_disconnect");
        this.#connection.detach(this);
        break;
      case "event":
        this.#onEvent(packet.data, packet.id);
        break;
      case "ack": {
        const pending = this.#acks.get(packet.id);
        this.#acks.delete(packet.id);
        pending?.resolve(packet.data);
        break;
      }
    }
  }

  #onConnected(id: unknown): void {
    if (this.#state !== "connecting") return;
    this.#state = "connected";
    this.#id = String(id);
    connectTime.add(Date.now() - this.#connectStartedMs, { transport: this.transport });
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const packet of unsent) this.#send(packet);
    this.#settle((waiting) => {
      waiting.resolve();
    });
    this.#dispatch("connect", []);
  }

  #onEvent(data: readonly unknown[], ackId: number | undefined): void {
    messagesReceived.add(1, { transport: this.transport });
    const [event, ...args] = data;
    if (ackId !== undefined) args.push(this.#acknowledge(ackId));
    this.#dispatch(String(event), args);
  }

  /** Answers once: a second call would answer somebody else's question. */
  #acknowledge(id: number): Acknowledge {
    let answered = false;
    return (...data) => {
      if (answered || this.#state !== "connected") return;
      answered = true;
      this.#connection.send({ type: "ack", nsp: this.nsp, id, data });
    };
  }

  #request(timeoutMs: number, event: string, args: readonly unknown[]): Promise<readonly unknown[]> {
    const id = this.#nextAckId++;
    const sentMs = Date.now();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#acks.delete(id);
        countError("ack_timeout", `${event} after ${timeoutMs} ms`);
        reject(new Error(`no acknowledgement of "${event}" within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#acks.set(id, {
        resolve: (reply) => {
          clearTimeout(timer);
          eventRtt.add(Date.now() - sentMs, { transport: this.transport });
          resolve(reply);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#send({ type: "event", nsp: this.nsp, id, data: [event, ...args] });
    });
  }

  #send(packet: Outgoing): void {
    if (this.#state !== "connected") {
      this.#unsent.push(packet);
      return;
    }
    messagesSent.add(1, { transport: this.transport });
    this.#connection.send(packet);
  }

  /** Ends what a connected or connecting socket has under way. What waits for an acknowledgement will not get one. */
  #leave(reason: DisconnectReason): void {
    const wasConnected = this.#state === "connected";
    this.#state = "idle";
    this.#id = undefined;
    const acks = [...this.#acks.values()];
    this.#acks.clear();
    for (const pending of acks) pending.reject(new Error(`disconnected: ${reason}`));
    this.#settle((waiting) => {
      waiting.reject(new Error(`disconnected: ${reason}`));
    });
    if (!wasConnected) return;
    countDisconnect(reason);
    this.#dispatch("disconnect", [reason]);
  }

  #settle(settle: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach(settle);
  }

  #dispatch(event: string, args: unknown[]): void {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(...args);
      } catch (error) {
        // Thrown further it would end the whole VU, with every client in it.
        countError("handler", `"${event}": ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      }
    }
  }

  #checked(event: string): string {
    if (RESERVED_EVENTS.has(event)) throw new Error(`"${event}" is a reserved event name`);
    return event;
  }
}
