/**
 * Bounds of the polling transport that Engine.IO does not have: packets in one POST, and answers that are not read. What is refused by Engine.IO itself
 * (a body that is too long) is counted here.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Transport } from "engine.io";
import { plain } from "../lib/plain.js";
import type { PollingInternals, PollingMethods } from "./internals.js";
import type { UnreadAnswers } from "./unread-answers.js";

const SEPARATOR = "\u001e";
const ERROR_PACKET = { type: "error", data: "parser error" };

export interface PollingLimits {
  readonly maxBufferedBytes: number;
  readonly maxPacketsPerPost: number;
}

export interface PollingBoundsHandler {
  /** More waits in answers that the client does not read than may. */
  onUnread(transport: Transport): void;
  onTooManyPackets(): void;
  /** A body was refused for its length, with 413. */
  onTooLong(): void;
}

export class PollingBounds {
  readonly #doWrite: PollingMethods["doWrite"];
  readonly #onData: PollingMethods["onData"];
  readonly #onDataRequest: PollingMethods["onDataRequest"];
  readonly #handler: PollingBoundsHandler;
  readonly #maxPackets: number;

  constructor(
    { maxBufferedBytes, maxPacketsPerPost }: PollingLimits,
    unread: UnreadAnswers,
    handler: PollingBoundsHandler,
  ) {
    this.#handler = handler;
    this.#maxPackets = maxPacketsPerPost;

    this.#doWrite = function (this: PollingTransport, data, options, callback): void {
      const answer = this.res;
      if (unread.bytes(this) > maxBufferedBytes) {
        handler.onUnread(this);
        answer?.destroy();
        return;
      }
      plain(this).doWrite.call(this, data, options, callback);
      if (answer != null) unread.watch(this, answer);
    };
    this.#onData = function (this: PollingTransport, data): void {
      if (typeof data === "string" && hasMore(data, maxPacketsPerPost)) {
        handler.onTooManyPackets();
        this.onPacket(ERROR_PACKET);
      } else {
        plain(this).onData.call(this, data);
      }
    };
    this.#onDataRequest = function (this: PollingTransport, request: IncomingMessage, response: ServerResponse): void {
      response.once("close", () => {
        if (response.statusCode === 413) handler.onTooLong();
      });
      plain(this).onDataRequest.call(this, request, response);
    };
  }

  guard(transport: Transport): void {
    const polling = transport as PollingTransport;
    polling.doWrite = this.#doWrite;
    polling.onDataRequest = this.#onDataRequest;
    if (transport.protocol === 3) polling.onData = this.#countingOnData();
    else polling.onData = this.#onData;
  }

  /** Protocol 3 has no separators: its packets are counted as they are decoded, and after the error Engine.IO ignores them. */
  #countingOnData(): PollingMethods["onData"] {
    const handler = this.#handler;
    const maxPackets = this.#maxPackets;
    return function (this: PollingTransport, data): void {
      let left = maxPackets;
      this.onPacket = (packet) => {
        if (left-- > 0) {
          plain(this).onPacket.call(this, packet);
        } else if (left === -1) {
          handler.onTooManyPackets();
          plain(this).onPacket.call(this, ERROR_PACKET);
        }
      };
      plain(this).onData.call(this, data);
    };
  }
}

type PollingTransport = Transport & PollingInternals & PollingMethods;

/** Whether a payload holds more packets than that. */
function hasMore(payload: string, packets: number): boolean {
  if (payload.length < 2 * packets) return false;
  let found = 1;
  for (let at = payload.indexOf(SEPARATOR); at !== -1; at = payload.indexOf(SEPARATOR, at + 1))
    if (++found > packets) return true;
  return false;
}
