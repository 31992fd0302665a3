/**
 * How far this worker has come: what it has handed its clients of the node's log and of the stream, and what it has published itself. Its text is the
 * claim behind each event that leaves here, made once for all receivers of an event.
 */
import { encodeClaim, laterStreamId, type Claim } from "../../recovery/claim.js";

export class ClaimClock {
  readonly #tag: string;
  readonly #wid: number;
  #pos = 0;
  #seq = 0;
  #streamId: string | undefined;
  #text: string | undefined;

  /** @param tag of the primary's life */
  constructor(tag: string, wid: number) {
    this.#tag = tag;
    this.#wid = wid;
  }

  get seq(): number {
    return this.#seq;
  }

  get claim(): Claim {
    return { tag: this.#tag, pos: this.#pos, wid: this.#wid, seq: this.#seq, streamId: this.#streamId };
  }

  get text(): string {
    return (this.#text ??= encodeClaim(this.claim));
  }

  /** @returns the number of the next publication that clients which are away are to get */
  count(): number {
    this.#text = undefined;
    return ++this.#seq;
  }

  /** Everything up to this position, and up to this id of the stream, that is for this worker has come, or comes before the next message. */
  advance(pos: number, streamId: string | undefined): void {
    this.#pos = Math.max(this.#pos, pos);
    if (streamId !== undefined) this.#streamId = laterStreamId(this.#streamId, streamId);
    this.#text = undefined;
  }
}
