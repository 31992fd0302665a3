/** Engine.IO over HTTP long-polling: one GET that waits for packets, and at most one POST beside it. */
import http, { type RefinedResponse } from "k6/http";
import { b64decode, b64encode } from "k6/encoding";
import { type Base64, decodePayload, encodePayload, type EnginePacket } from "./engine-codec.ts";
import type { RequestContext, Transport, TransportHandlers } from "./transport.ts";

const base64: Base64 = {
  encode: (bytes) => b64encode(bytes),
  decode: (text) => b64decode(text),
};

export class PollingTransport implements Transport {
  readonly name = "polling";
  readonly #context: RequestContext;
  #handlers: TransportHandlers | undefined;
  #sid: string | undefined;
  #timeoutMs: number;
  #polling = false;
  #posting = false;
  #onIdle: (() => void) | undefined;

  /** Polls at once; the first packet is the handshake. */
  constructor(context: RequestContext, timeoutMs: number, handlers: TransportHandlers) {
    this.#context = context;
    this.#timeoutMs = timeoutMs;
    this.#handlers = handlers;
    this.#poll();
  }

  get writable(): boolean {
    return this.#sid !== undefined && !this.#posting;
  }

  /** From the handshake on: the session, and how long a poll may hang. */
  adopt(sid: string, timeoutMs: number): void {
    this.#sid = sid;
    this.#timeoutMs = timeoutMs;
  }

  send(packets: readonly EnginePacket[]): void {
    this.#posting = true;
    this.#request("POST", encodePayload(packets, base64), () => {
      this.#posting = false;
      this.#handlers?.onDrain();
      this.#tellIdle();
    });
  }

  /** No new poll from here on; `onIdle` runs once when neither a GET nor a POST is under way. */
  pause(onIdle: () => void): void {
    this.#onIdle = onIdle;
    this.#tellIdle();
  }

  /** Takes a pause back. */
  resume(): void {
    this.#onIdle = undefined;
    if (!this.#polling) this.#poll();
  }

  close(): void {
    if (this.#handlers === undefined) return;
    this.#handlers = undefined;
    // The server answers the poll under way as soon as it has read this.
    if (this.#sid !== undefined) this.#request("POST", encodePayload([{ type: "close", data: "" }], base64), () => {});
  }

  #poll(): void {
    this.#polling = true;
    this.#request("GET", null, (body) => {
      const packets = decodePayload(body, base64);
      this.#polling = false;
      for (const packet of packets) {
        if (packet.type === "close") this.#fail(undefined);
        else this.#handlers?.onPacket(packet);
      }
      if (this.#onIdle !== undefined) this.#tellIdle();
      else if (this.#handlers !== undefined && !this.#polling) this.#poll();
    });
  }

  #request(method: "GET" | "POST", body: string | null, onBody: (body: string) => void): void {
    const params = {
      headers: method === "GET" ? { ...this.#context.headers } : { ...this.#context.headers, ...TEXT },
      jar: this.#context.jar,
      // A name of its own: the URL holds the session id, and would make a time series of each session.
      tags: { name: method === "GET" ? "socket.io poll" : "socket.io post" },
      timeout: this.#timeoutMs,
      redirects: 0,
      responseType: "text" as const,
    };
    http
      .asyncRequest(method, this.#context.url("polling", this.#sid), body, params)
      .then((response) => {
        onBody(bodyOf(method, response));
      })
      .catch((error: unknown) => {
        // After close() nobody listens: a goodbye to a session that is gone already is refused, and that is fine.
        this.#fail(error as Error);
      });
  }

  #tellIdle(): void {
    const onIdle = this.#onIdle;
    if (onIdle === undefined || this.#polling || this.#posting) return;
    this.#onIdle = undefined;
    onIdle();
  }

  #fail(error: Error | undefined): void {
    const handlers = this.#handlers;
    this.#handlers = undefined;
    handlers?.onClose(error);
  }
}

const TEXT = { "Content-Type": "text/plain;charset=UTF-8" };

function bodyOf(method: string, response: RefinedResponse<"text">): string {
  if (response.status === 200) return response.body;
  const what = response.status === 0 ? response.error : `HTTP ${response.status}: ${response.body.slice(0, 100)}`;
  throw new Error(`polling ${method}: ${what}`);
}
