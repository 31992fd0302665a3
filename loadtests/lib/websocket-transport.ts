/** Engine.IO over one WebSocket: for a whole session, or to take one over from polling. */
import { type BinaryType, type ErrorEvent, type MessageEvent, WebSocket } from "k6/websockets";
import { decodeFrame, encodeFrame, type EnginePacket } from "./engine-codec.ts";
import type { RequestContext, Transport, TransportHandlers } from "./transport.ts";

export class WebSocketTransport implements Transport {
  readonly name = "websocket";
  readonly #socket: WebSocket;
  #handlers: TransportHandlers | undefined;
  #open = false;

  constructor(context: RequestContext, sid: string | undefined, handlers: TransportHandlers) {
    this.#handlers = handlers;
    // A name of its own: the URL holds the session id, and would make a time series of each session.
    const tags = { name: "socket.io websocket" };
    const url = context.url("websocket", sid).replace(/^http/, "ws");
    this.#socket = new WebSocket(url, null, { headers: { ...context.headers }, jar: context.jar, tags });
    this.#socket.binaryType = "arraybuffer" as BinaryType;
    this.#socket.onopen = () => {
      this.#onOpen();
    };
    this.#socket.onmessage = (event?: MessageEvent) => {
      this.#onFrame(event?.data as string | ArrayBuffer);
    };
    this.#socket.onerror = (event?: ErrorEvent) => {
      const error = String(event?.error);
      // Engine.IO servers close without a status, which k6 reports as an error; a cut connection ends the same way.
      this.#fail(error.startsWith("websocket: close ") ? undefined : new Error(`websocket: ${error}`));
    };
    this.#socket.onclose = () => {
      this.#fail(undefined);
    };
  }

  /** k6 queues what it is given, so an open socket always takes more. */
  get writable(): boolean {
    return this.#open;
  }

  send(packets: readonly EnginePacket[]): void {
    for (const packet of packets) this.#socket.send(encodeFrame(packet));
  }

  close(): void {
    this.#handlers = undefined;
    // k6 1.8 blocks for ever in close() while the socket is still connecting; #onOpen closes it then.
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
  }

  #onOpen(): void {
    this.#open = true;
    if (this.#handlers === undefined) this.close();
    else this.#handlers.onDrain();
  }

  #onFrame(frame: string | ArrayBuffer): void {
    let packet: EnginePacket;
    try {
      packet = decodeFrame(frame);
    } catch (error) {
      this.#fail(error as Error);
      this.close();
      return;
    }
    this.#handlers?.onPacket(packet);
  }

  #fail(error: Error | undefined): void {
    const handlers = this.#handlers;
    this.#handlers = undefined;
    if (error === undefined) this.#open = false;
    handlers?.onClose(error);
  }
}
