/**
 * A client of Socket.IO with recovery whose every step the test decides: it connects when and where it is told, breaks off behind any message, leaves
 * connections half open, and keeps the offset as stock clients do (the last argument of an event, where that is a string).
 */
import assert from "node:assert/strict";
import { WebSocketSession } from "../support/engine-client.js";
import type { Scope } from "../support/children.js";
import { within } from "../support/wait.js";
import { slotOf } from "../metrics/clients.js";

const DEADLINE_MS = 10_000;

export interface RawClientOptions {
  readonly port: number;
  /** `/` unless told. */
  readonly nsp?: string;
}

/** An event without its last argument, the offset. */
export type Received = readonly unknown[];

export class RawClient {
  readonly received: Received[] = [];
  /** Whether the last CONNECT gave the session back: the id is the one it had. */
  recovered = false;
  id: string | undefined;
  pid: string | undefined;
  offset: string | undefined;
  /** The server has disconnected the socket, and left the connection open. */
  ended = false;
  /** Pings that it has answered. */
  pings = 0;
  readonly #scope: Scope;
  #port: number;
  readonly #nsp: string;
  #session: WebSocketSession | undefined;
  #acks = new Map<number, (value: unknown) => void>();
  #nextAck = 1;
  #isAsking = false;
  /** Told of each event that came, and of the connection's end. */
  #wake: () => void = () => undefined;
  #onReceived: ((count: number) => boolean) | undefined;
  /** Binary parts that an event waits for. */
  #parts: { header: string; wanted: number; buffers: Buffer[] } | undefined;

  constructor(scope: Scope, { port, nsp = "/" }: RawClientOptions) {
    this.#scope = scope;
    this.#port = port;
    this.#nsp = nsp;
  }

  get session(): WebSocketSession {
    assert.ok(this.#session !== undefined, "connected");
    return this.#session;
  }

  get slot(): number {
    return slotOf(this.session.sid);
  }

  /** It has asked for the namespace and waits for the answer. */
  get isConnecting(): boolean {
    return this.#session !== undefined && this.#isAsking;
  }

  /**
   * Opens a connection and joins the namespace, with what it knows of its session.
   *
   * @param port of the node; the last one unless told
   * @param slot of the worker; any unless told
   * @param stopAt breaks the connection off as soon as so many events have come; the rest is not looked at
   */
  async connect({
    port = this.#port,
    slot,
    stopAt,
  }: { port?: number; slot?: number; stopAt?: (count: number) => boolean } = {}): Promise<void> {
    this.#port = port;
    const session = await this.#open(slot);
    this.#session = session;
    this.#onReceived = stopAt;
    const before = this.id;
    this.id = undefined;
    const auth = {
      ...(this.pid !== undefined && { pid: this.pid }),
      ...(this.offset !== undefined && { offset: this.offset }),
    };
    session.send(`40${this.#prefix}${JSON.stringify(auth)}`);
    this.#isAsking = true;
    void this.#read(session);
    await this.until(() => this.id !== undefined || session.closed);
    this.#isAsking = false;
    this.recovered = this.id !== undefined && this.id === before;
    if (this.id === undefined) this.id = before;
  }

  /** Waits for something to hold, asked after each packet. */
  async until(holds: () => boolean, what = "what the client waits for"): Promise<void> {
    const wait = async (): Promise<void> => {
      while (!holds()) await new Promise<void>((resolve) => (this.#wake = resolve));
    };
    await within(wait(), DEADLINE_MS, `${what}; it has received ${JSON.stringify(this.received).slice(-500)}`);
  }

  /** Waits until it has received so many events in all. */
  async count(events: number): Promise<void> {
    await this.until(() => this.received.length >= events, `${events} events`);
  }

  emit(...args: unknown[]): void {
    this.session.send(`42${this.#prefix}${JSON.stringify(args)}`);
  }

  /** Sends an event and waits for its ack. */
  async call(...args: unknown[]): Promise<unknown> {
    const id = this.#nextAck++;
    const answer = new Promise((resolve) => this.#acks.set(id, resolve));
    this.session.send(`42${this.#prefix}${id}${JSON.stringify(args)}`);
    return within(answer, DEADLINE_MS, `the ack of ${JSON.stringify(args)}`);
  }

  /** The network between client and server breaks, and both notice. */
  cut(): void {
    this.#session?.socket.terminate();
    this.#session = undefined;
  }

  /** The client has lost its connection and the server does not notice: it stays open, and nobody reads it. @returns what remains of it */
  abandon(): WebSocketSession {
    const { session } = this;
    session.socket.removeAllListeners("message");
    session.socket.pause();
    this.#session = undefined;
    return session;
  }

  get #prefix(): string {
    return this.#nsp === "/" ? "" : `${this.#nsp},`;
  }

  async #open(slot: number | undefined): Promise<WebSocketSession> {
    const others: WebSocketSession[] = [];
    try {
      for (let i = 0; i < 40; i++) {
        const session = await WebSocketSession.open(this.#scope, { port: this.#port });
        if (slot === undefined || slotOf(session.sid) === slot) return session;
        others.push(session);
      }
      throw new Error(`no connection to worker ${slot}`);
    } finally {
      for (const session of others) session.socket.terminate();
    }
  }

  async #read(session: WebSocketSession): Promise<void> {
    try {
      while (this.#session === session) {
        const packet = await session.next(60_000);
        if (this.#session === session) this.#onPacket(session, packet);
      }
    } catch {
      // Closed: whoever waits for something hears of it.
      this.#wake();
    }
  }

  #onPacket(session: WebSocketSession, packet: string | Buffer): void {
    if (Buffer.isBuffer(packet)) this.#onBinary(packet);
    else if (packet === "2") {
      session.send("3");
      this.pings++;
    } else if (packet.startsWith("40")) this.#onConnect(this.#bodyOf(packet));
    else if (packet.startsWith("41")) this.ended = true;
    else if (packet.startsWith("42")) this.#onEvent(JSON.parse(this.#bodyOf(packet)) as unknown[]);
    else if (packet.startsWith("43")) this.#onAck(this.#bodyOf(packet));
    else if (packet.startsWith("45")) {
      const [wanted = "0"] = packet.slice(2).split("-", 1);
      this.#parts = { header: `45${packet.slice(3 + wanted.length)}`, wanted: Number(wanted), buffers: [] };
    }
    this.#wake();
  }

  #bodyOf(packet: string): string {
    const rest = packet.slice(2);
    assert.ok(rest.startsWith(this.#prefix), `${packet.slice(0, 100)} is for ${this.#nsp}`);
    return rest.slice(this.#prefix.length);
  }

  #onConnect(text: string): void {
    const { sid, pid } = JSON.parse(text) as { sid: string; pid?: string };
    this.id = sid;
    this.pid = pid;
  }

  #onAck(text: string): void {
    const [id = ""] = /^\d+/.exec(text) ?? [];
    const [value] = JSON.parse(text.slice(id.length)) as unknown[];
    this.#acks.get(Number(id))?.(value);
    this.#acks.delete(Number(id));
  }

  #onBinary(part: Buffer): void {
    assert.ok(this.#parts !== undefined, "binary belongs to an event");
    this.#parts.buffers.push(part);
    const { header, wanted, buffers } = this.#parts;
    if (buffers.length < wanted) return;
    this.#parts = undefined;
    const fill = (_key: string, value: unknown): unknown => {
      const { _placeholder, num } = (value ?? {}) as { _placeholder?: boolean; num?: number };
      return _placeholder === true ? buffers[num ?? -1] : value;
    };
    this.#onEvent(JSON.parse(this.#bodyOf(header), fill) as unknown[]);
  }

  #onEvent(args: unknown[]): void {
    const last = args.at(-1);
    // As the stock client: whatever string stands last.
    if (typeof last === "string" && this.pid !== undefined) this.offset = last;
    this.received.push(args.slice(0, -1));
    if (this.#onReceived?.(this.received.length) === true) this.cut();
  }
}
