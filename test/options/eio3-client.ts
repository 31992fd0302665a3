/** A client of Engine.IO 3, as those of Socket.IO 2 are: it pings, and over polling a payload is `length:packet` after `length:packet`. */
import { once } from "node:events";
import { WebSocket, type RawData } from "ws";
import type { Scope } from "../support/children.js";
import type { RawConnection } from "../support/raw-http.js";
import { waitFor, within } from "../support/wait.js";

const DEADLINE_MS = 10_000;

export interface LegacySession {
  send(packet: string): Promise<void>;
  /** The next packet; binary ones over WebSocket with their type before them. */
  next(): Promise<string | Buffer>;
}

export class LegacyPolling implements LegacySession {
  readonly target: string;
  readonly #connection: RawConnection;
  readonly #packets: string[];

  /** @param first packets that came with the handshake */
  constructor(target: string, connection: RawConnection, first: readonly string[]) {
    this.target = target;
    this.#connection = connection;
    this.#packets = [...first];
  }

  async send(packet: string): Promise<void> {
    const headers = { "Content-Type": "text/plain;charset=UTF-8" };
    const body = `${packet.length}:${packet}`;
    const { status, text } = await this.#connection.request({ target: this.target, headers, body });
    if (status !== 200 || text !== "ok") throw new Error(`a POST was answered ${status}: ${text}`);
  }

  async next(): Promise<string> {
    for (;;) {
      const packet = this.#packets.shift();
      if (packet !== undefined) return packet;
      const { status, text } = await this.#connection.request({ target: this.target });
      if (status !== 200) throw new Error(`a poll was answered ${status}: ${text}`);
      this.#packets.push(...decodePayload(text));
    }
  }
}

export class LegacyWebSocket implements LegacySession {
  readonly #webSocket: WebSocket;
  readonly #packets: (string | Buffer)[] = [];

  private constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    webSocket.on("message", (data: RawData, isBinary) =>
      this.#packets.push(isBinary ? (data as Buffer) : (data as Buffer).toString()),
    );
  }

  /** @throws Error with the status where it is refused */
  static async open(scope: Scope, port: number, target: string, connection: RawConnection): Promise<LegacyWebSocket> {
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}${target}`, {
      perMessageDeflate: false,
      createConnection: () => connection.socket,
    });
    scope.after(() => webSocket.terminate());
    const session = new LegacyWebSocket(webSocket);
    await within(once(webSocket, "open"), DEADLINE_MS, "the WebSocket to open");
    return session;
  }

  send(packet: string | Buffer): Promise<void> {
    this.#webSocket.send(packet);
    return Promise.resolve();
  }

  async next(): Promise<string | Buffer> {
    const packet = await waitFor(() => this.#packets.shift(), {
      timeoutMs: DEADLINE_MS,
      intervalMs: 2,
      message: "a packet",
    });
    return packet as string | Buffer;
  }
}

/** @throws Error where it is no payload of text */
export function decodePayload(payload: string): string[] {
  const packets: string[] = [];
  for (let at = 0; at < payload.length;) {
    const colon = payload.indexOf(":", at);
    const length = Number(payload.slice(at, colon));
    const end = colon + 1 + length;
    if (colon === -1 || !Number.isInteger(length) || end > payload.length)
      throw new Error(`not a payload of Engine.IO 3: ${payload.slice(at, at + 100)}`);
    packets.push(payload.slice(colon + 1, end));
    at = end;
  }
  return packets;
}
