/** Whether an id that another node holds is lost: its holder lives if it answers, or renews its lease while it is watched. */
import type { Held } from "./lease-store.js";

export type Verdict =
  | { readonly lost: true }
  /** The holder's uid may be taken for vacated once its lease has run out, `waitMs` at most from now. */
  | { readonly lost: false; readonly vacated: string; readonly waitMs: number };

export class LeaseContest {
  readonly #probe: (address: string) => Promise<string | undefined>;
  #seen: { readonly uid: string; readonly expiresAtMs: number } | undefined;

  /** @param probe uid of the node at an address; never rejects */
  constructor(probe: (address: string) => Promise<string | undefined>) {
    this.#probe = probe;
  }

  async judge({ holder: { uid, address }, expiresAtMs, remainingMs }: Held): Promise<Verdict> {
    const seen = this.#seen;
    this.#seen = { uid, expiresAtMs };
    if (seen?.uid === uid && expiresAtMs > seen.expiresAtMs) return { lost: true };
    if (address !== null && (await this.#probe(address)) === uid) return { lost: true };
    return { lost: false, vacated: uid, waitMs: Math.max(0, remainingMs) };
  }
}
