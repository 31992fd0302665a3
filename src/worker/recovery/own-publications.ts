/**
 * What this worker publishes while it waits to be given a session. The log may not have had it when it was read for that client, and the hub does
 * not send it back.
 */
import type { Claim } from "../../recovery/claim.js";
import type { EventContent } from "./event-content.js";

export interface OwnPublication {
  readonly nsp: string;
  readonly rooms: ReadonlySet<string>;
  readonly except: ReadonlySet<string>;
  readonly content: () => EventContent;
  readonly bytes: number;
  /** The claim that it left with; its `seq` is its number. */
  readonly claim: Claim;
}

export class OwnPublications {
  readonly #maxBytes: number;
  #list: OwnPublication[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns false where it is one too many: then all of them are gone */
  add(publication: OwnPublication): boolean {
    this.#list.push(publication);
    this.#bytes += publication.bytes;
    if (this.#bytes <= this.#maxBytes) return true;
    this.forgetUpTo(Infinity);
    return false;
  }

  /** Those with a higher number, oldest first. */
  after(seq: number): readonly OwnPublication[] {
    return this.#list.slice(this.#indexAfter(seq));
  }

  forgetUpTo(seq: number): void {
    for (const { bytes } of this.#list.splice(0, this.#indexAfter(seq))) this.#bytes -= bytes;
  }

  /** By halves: while many clients come back, each of them asks. */
  #indexAfter(seq: number): number {
    let from = 0;
    let to = this.#list.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#list[middle]?.claim.seq ?? Infinity) > seq) to = middle;
      else from = middle + 1;
    }
    return from;
  }
}

/** Whether an event is for a member of these rooms. */
export function isFor(
  { rooms, except }: Pick<OwnPublication, "rooms" | "except">,
  isIn: (room: string) => boolean,
): boolean {
  if (rooms.size > 0 && ![...rooms].some(isIn)) return false;
  return except.size === 0 || ![...except].some(isIn);
}
