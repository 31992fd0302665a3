/**
 * Who may open a session at this worker. The front has counted what begins on a connection that it hands over; a handshake on a connection that was used
 * before, as proxies send them, is counted here, by the same rules.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Socket } from "engine.io";
import type { ClientAddresses } from "../access/client-address.js";
import { handshakeBudget } from "../access/handshake-budget.js";
import { answerOf, type EntryAnswer, type EntryRefusal } from "../access/refusals.js";
import type { Config } from "../config/config.js";
import type { Budget } from "../routing/budget.js";
import type { Engine } from "./engine.js";

export interface EntranceOptions {
  readonly access: Config["access"];
  readonly engine: Engine;
  /** Undefined where addresses have no limits. */
  readonly addresses: ClientAddresses | undefined;
  /** Asks the primary for a place; `retryAfterMs` where there is none. */
  readonly enter: (address: string) => Promise<EntryAnswer>;
  /** Gives it back. */
  readonly leave: (address: string) => void;
  readonly onRefused: (reason: EntryRefusal) => void;
  readonly standingLagMs: () => number;
  readonly now: () => number;
}

/** A handshake, by request or by upgrade. */
export interface Handshake {
  readonly request: IncomingMessage;
  /** Ends with it. */
  readonly end: ServerResponse | Duplex;
  serve(): void;
  refuse(answer: ReturnType<typeof answerOf>): void;
}

export class Entrance {
  readonly #options: EntranceOptions;
  readonly #budget: Budget;
  /** Handshakes that hold a place of their address, until there is a session for it. */
  readonly #places = new WeakMap<IncomingMessage, string>();
  /** Whether the node holds as many sessions as it may. */
  isFull = false;

  constructor(options: EntranceOptions) {
    this.#options = options;
    this.#budget = handshakeBudget(options.access);
    if (options.addresses !== undefined) options.engine.on("connection", (session: Socket) => this.#onSession(session));
  }

  /** @param counted whether the front has counted it */
  handle(handshake: Handshake, counted: boolean): void {
    const { access, standingLagMs, now } = this.#options;
    const nowMs = now();
    const waitMs = counted ? 0 : this.#budget.waitMs(nowMs);
    const reason = counted
      ? undefined
      : this.isFull
        ? "full"
        : standingLagMs() > access.maxLagMs
          ? "lagging"
          : waitMs > access.maxWaitMs
            ? "over_budget"
            : undefined;
    if (reason !== undefined) {
      this.#refuse(handshake, { reason, retryAfterMs: waitMs });
      return;
    }
    this.#budget.take(nowMs);
    if (waitMs > 0) setTimeout(() => this.#proceed(handshake), waitMs);
    else this.#proceed(handshake);
  }

  #proceed(handshake: Handshake): void {
    const { addresses } = this.#options;
    // A client that has given up in the meantime has no use for a session.
    if (handshake.end.destroyed) return;
    const { socket, headers } = handshake.request;
    const address = addresses?.of(socket.remoteAddress, headers["x-forwarded-for"]);
    if (address === undefined) handshake.serve();
    else void this.#enter(handshake, address);
  }

  async #enter(handshake: Handshake, address: string): Promise<void> {
    const { enter, leave } = this.#options;
    const { request, end } = handshake;
    const answer = await enter(address);
    if (answer !== "entered") {
      if (!end.destroyed) this.#refuse(handshake, answer);
      return;
    }
    if (end.destroyed) {
      leave(address);
      return;
    }
    this.#places.set(request, address);
    end.once("close", () => {
      if (this.#places.delete(request)) leave(address);
    });
    handshake.serve();
  }

  /** From here on the session holds the place. */
  #onSession(session: Socket): void {
    const address = this.#places.get(session.request);
    if (address === undefined) return;
    this.#places.delete(session.request);
    session.once("close", () => this.#options.leave(address));
  }

  #refuse(handshake: Handshake, refusal: Exclude<EntryAnswer, "entered">): void {
    this.#options.onRefused(refusal.reason);
    handshake.refuse(answerOf(refusal));
  }
}
