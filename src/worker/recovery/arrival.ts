/**
 * A session that has been given to this worker and whose socket is not connected yet: middlewares may take their time. What comes for it meanwhile is kept,
 * and written behind what it had missed.
 */
import type { RestoredSession } from "../../link/recovery-messages.js";
import { EVENT_ARGS_AT } from "../../link/payload.js";
import { encodeClaim, laterStreamId, type Claim } from "../../recovery/claim.js";
import { encodeForClient, packetOf, type Encoder, type EventContent } from "./event-content.js";

export interface ArrivalNames {
  /** Number of the question that it answers. */
  readonly askId: number;
  readonly nsp: string;
  readonly pid: string;
}

export class Arrival {
  readonly askId: number;
  readonly nsp: string;
  readonly pid: string;
  readonly id: string;
  readonly generation: number;
  readonly rooms: ReadonlySet<string>;
  /** `socket.data`, by v8.serialize. */
  readonly data: Buffer;
  #isSuperseded = false;
  #onSuperseded: (() => void) | undefined;
  readonly #missed: { readonly content: EventContent; readonly claim: string }[];
  readonly #kept: { readonly content: EventContent; readonly claim: string }[] = [];
  readonly #floor: Pick<Claim, "pos" | "streamId">;
  #keptBytes = 0;

  constructor({ askId, nsp, pid }: ArrivalNames, session: RestoredSession, body: Buffer) {
    this.askId = askId;
    this.nsp = nsp;
    this.pid = pid;
    this.id = session.id;
    this.generation = session.generation;
    this.rooms = new Set(session.rooms);
    this.#floor = { pos: session.pos, streamId: session.streamId };
    this.data = body.subarray(0, session.dataBytes);
    let at = session.dataBytes;
    this.#missed = session.missed.map(({ bytes, bin, args, claim }) => {
      const event = body.subarray(at, at + bytes);
      at += bytes;
      const content =
        args === undefined
          ? { packet: packetOf({ bin, body: event }) }
          : { args: event.toString("utf8", EVENT_ARGS_AT, EVENT_ARGS_AT + args) };
      return { content, claim };
    });
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** The client has come back over yet another connection. */
  get isSuperseded(): boolean {
    return this.#isSuperseded;
  }

  /** Called once; at once where it has happened already. */
  set onSuperseded(listener: () => void) {
    if (this.#isSuperseded) listener();
    else this.#onSuperseded = listener;
  }

  supersede(): void {
    this.#isSuperseded = true;
    this.#onSuperseded?.();
    this.#onSuperseded = undefined;
  }

  /** @param claim of this worker with that event; what was missed is added to it. @param bytes of the event, about */
  keep(content: EventContent, claim: Claim, bytes: number): void {
    const pos = Math.max(claim.pos, this.#floor.pos);
    const streamId = laterStreamId(claim.streamId, this.#floor.streamId);
    this.#kept.push({ content, claim: encodeClaim({ ...claim, pos, streamId }) });
    this.#keptBytes += bytes;
  }

  /** What it has missed, and what was kept for it, as Engine.IO is to send it. */
  *events(encoder: Encoder): Generator<(string | Buffer)[]> {
    for (const { content, claim } of this.#missed) yield encodeForClient(encoder, this.nsp, content, claim);
    for (const { content, claim } of this.#kept) yield encodeForClient(encoder, this.nsp, content, claim);
  }
}
