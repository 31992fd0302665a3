/** Hands what the hub passes on to the adapter of its namespace. What cannot be read, or what the app's listeners throw, ends here. */
import { MessageType } from "socket.io-adapter";
import { OUTSIDE_WID, type Deliver } from "../link/messages.js";
import { decodePayload, EVENT_ARGS_AT } from "../link/payload.js";
import { checkForeignMessage } from "./foreign-message.js";

/** One namespace's adapter, as the port sees it. */
export interface PortAdapter {
  /** A plain event from another worker. @param args its name and arguments, as a JSON array. @param isLogged clients that are away get it later */
  onEvent(args: string, event: NonNullable<Deliver["event"]>, isLogged: boolean): void;
  /** @param bytes of the payload it was read from */
  onDeliver(from: number, type: number, data: unknown, isLogged: boolean, bytes: number): void;
}

export interface DeliveryHandler {
  /** What a listener of the app threw at a message of another server: it has had it, and the worker goes on. */
  onListenerError(error: unknown): void;
  /** A message of another server that is not what it says. */
  onUnreadable(error: unknown): void;
}

export class Deliveries {
  readonly #adapters: ReadonlyMap<string, PortAdapter>;
  readonly #handler: DeliveryHandler;
  readonly #answerNothing: (from: number, nsp: string, requestId: string) => void;

  /** @param answerNothing to a request for a namespace that is not open here */
  constructor(
    adapters: ReadonlyMap<string, PortAdapter>,
    handler: DeliveryHandler,
    answerNothing: (from: number, nsp: string, requestId: string) => void,
  ) {
    this.#adapters = adapters;
    this.#handler = handler;
    this.#answerNothing = answerNothing;
  }

  /** @throws where a sibling's payload cannot be decoded */
  take(message: Deliver, body: Buffer): void {
    const { from, nsp, event, pos } = message;
    const adapter = this.#adapters.get(nsp);
    if (event !== undefined) {
      if (adapter !== undefined) this.#handEvent(adapter, event, body, pos !== undefined);
      return;
    }
    const data = this.#read(message, body);
    if (data === undefined) return;
    const requestId = requestIdOf(data);
    if (adapter !== undefined) this.#hand(adapter, message, data, body.length);
    else if (requestId !== "") this.#answerNothing(from, nsp, requestId);
  }

  #handEvent(adapter: PortAdapter, event: NonNullable<Deliver["event"]>, body: Buffer, isLogged: boolean): void {
    try {
      adapter.onEvent(body.toString("utf8", EVENT_ARGS_AT, EVENT_ARGS_AT + event.bytes), event, isLogged);
    } catch (error) {
      this.#handler.onListenerError(error);
    }
  }

  #hand(adapter: PortAdapter, { from, type, pos }: Deliver, data: unknown, bytes: number): void {
    try {
      adapter.onDeliver(from, type, data, pos !== undefined, bytes);
    } catch (error) {
      // A broadcast from outside throws where Socket.IO cannot encode it, nested too deep, say; all else is what the app's listeners throw.
      if (from === OUTSIDE_WID && type === (MessageType.BROADCAST as number)) this.#handler.onUnreadable(error);
      else this.#handler.onListenerError(error);
    }
  }

  /** @returns undefined where it came from outside and cannot be read */
  #read({ from, type, bin }: Deliver, body: Buffer): unknown {
    if (from !== OUTSIDE_WID) return decodePayload({ bin, body });
    try {
      const data = decodePayload({ bin, body });
      checkForeignMessage(type, data);
      return data;
    } catch (error) {
      this.#handler.onUnreadable(error);
      return undefined;
    }
  }
}

/** Empty where it is no request, or none that has a name. */
export function requestIdOf(data: unknown): string {
  const id = (data as { requestId?: unknown }).requestId;
  return typeof id === "string" ? id : "";
}
