/** One Engine.IO session of a client, by polling or by WebSocket, that behaves on the wire as one of the stock client on Node does, at a fraction of its cost. */
import { request } from "node:http";
import { WebSocket, type RawData } from "ws";
import type { Failure, Transport } from "./messages.js";

const SEPARATOR = "\u001e";

export interface SessionHandler {
  onOpen(): void;
  /** A packet of Socket.IO. */
  onMessage(packet: string): void;
  onFailure(what: Failure["what"], outcome: number | string, retryAfter?: string): void;
  /** Once, whether it was open or not. */
  onClose(): void;
}

export interface Session {
  send(packet: string): void;
}

export function openSession(transport: Transport, port: number, handler: SessionHandler): Session {
  return transport === "polling" ? new PollingSession(port, handler) : new WebSocketSession(port, handler);
}

interface Answer {
  readonly outcome: number | string;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

/** Each request has a connection of its own, as those of the stock client on Node have. */
class PollingSession implements Session {
  readonly #port: number;
  readonly #handler: SessionHandler;
  #sid: string | undefined;
  #closed = false;

  constructor(port: number, handler: SessionHandler) {
    this.#port = port;
    this.#handler = handler;
    void this.#run();
  }

  send(packet: string): void {
    void this.#post(`4${packet}`);
  }

  async #run(): Promise<void> {
    const handshake = await this.#request("handshake");
    if (handshake === undefined) {
      this.#handler.onClose();
      return;
    }
    this.#sid = (JSON.parse(handshake.slice(1)) as { sid: string }).sid;
    this.#handler.onOpen();
    for (let payload: string | undefined; (payload = await this.#request("poll")) !== undefined;)
      for (const packet of payload.split(SEPARATOR)) {
        if (packet === "2") void this.#post("3");
        else if (packet.startsWith("4")) this.#handler.onMessage(packet.slice(1));
      }
    this.#close();
  }

  async #post(body: string): Promise<void> {
    if ((await this.#request("post", body)) === undefined) this.#close();
  }

  /** After an error the stock client says goodbye. */
  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.#request("goodbye", "1");
    this.#handler.onClose();
  }

  /** @returns the body of a good answer */
  async #request(what: Failure["what"], body?: string): Promise<string | undefined> {
    const { outcome, text, retryAfter } = await this.#ask(body);
    if (outcome === 200) return text;
    this.#handler.onFailure(what, outcome, retryAfter);
    return undefined;
  }

  #ask(body: string | undefined): Promise<Answer> {
    const sid = this.#sid === undefined ? "" : `&sid=${this.#sid}`;
    const headers = body === undefined ? {} : { "Content-Type": "text/plain;charset=UTF-8" };
    return new Promise((resolve) => {
      const fail = (error: Error): void => resolve({ outcome: error.message, text: "", retryAfter: undefined });
      const asked = request(
        {
          host: "127.0.0.1",
          port: this.#port,
          path: `/socket.io/?EIO=4&transport=polling${sid}`,
          method: body === undefined ? "GET" : "POST",
          headers,
          agent: false,
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (text += chunk));
          response.on("error", fail);
          response.on("end", () => {
            const retryAfter = response.headers["retry-after"];
            resolve({ outcome: response.statusCode ?? 0, text, retryAfter });
          });
        },
      );
      asked.on("error", fail);
      asked.end(body);
    });
  }
}

class WebSocketSession implements Session {
  readonly #socket: WebSocket;

  constructor(port: number, handler: SessionHandler) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, {
      perMessageDeflate: false,
    });
    this.#socket = socket;
    let isOpen = false;
    socket.on("message", (data: RawData) => {
      const packet = (data as Buffer).toString();
      if (packet.startsWith("0")) {
        isOpen = true;
        handler.onOpen();
      } else if (packet === "2") socket.send("3");
      else if (packet.startsWith("4")) handler.onMessage(packet.slice(1));
    });
    socket.on("unexpected-response", (_request, response) => {
      handler.onFailure("upgrade", response.statusCode ?? 0, response.headers["retry-after"]);
      response.resume();
      handler.onClose();
    });
    socket.on("error", (error) => {
      if (!isOpen) handler.onFailure("upgrade", error.message);
    });
    socket.on("close", () => handler.onClose());
  }

  send(packet: string): void {
    this.#socket.send(`4${packet}`);
  }
}
