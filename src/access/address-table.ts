/**
 * How many sessions each address has on this node, and how fast it opens more. Only what counts is remembered: an address is forgotten when it has no
 * session and its minute is over.
 *
 * Pure: time is handed in.
 */
import { Budget } from "../routing/budget.js";
import type { EntryAnswer } from "./refusals.js";

export interface AddressLimits {
  /** At once; null: no limit. */
  readonly maxSessions: number | null;
  /** null: no limit. */
  readonly maxPerMinute: number | null;
}

interface Entry {
  sessions: number;
  readonly budget: Budget;
}

const MINUTE_MS = 60_000;
/** Sessions end when they end: nobody knows how long it takes. */
const RETRY_MS = 5_000;

export class AddressTable {
  readonly #limits: AddressLimits;
  readonly #entries = new Map<string, Entry>();
  /** Sessions by who holds them: a worker takes all of its own along. */
  readonly #held = new Map<number, Map<string, number>>();
  #sweptAtMs = 0;

  constructor(limits: AddressLimits) {
    this.#limits = limits;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** Whether {@link enter} would let one more in. */
  ask(address: string, nowMs: number): EntryAnswer {
    const entry = this.#entries.get(address);
    if (entry === undefined) return "entered";
    if (entry.sessions >= (this.#limits.maxSessions ?? Infinity))
      return { reason: "address_sessions", retryAfterMs: RETRY_MS };
    const waitMs = entry.budget.waitMs(nowMs);
    return waitMs > 0 ? { reason: "address_rate", retryAfterMs: waitMs } : "entered";
  }

  /** Takes a place, for which {@link leave} must be called. What is refused costs nothing. */
  enter(holder: number, address: string, nowMs: number): EntryAnswer {
    this.#sweep(nowMs);
    const answer = this.ask(address, nowMs);
    if (answer !== "entered") return answer;
    let entry = this.#entries.get(address);
    if (entry === undefined) {
      const count = this.#limits.maxPerMinute;
      entry = { sessions: 0, budget: new Budget({ count, perMs: MINUTE_MS, burstMs: MINUTE_MS }) };
      this.#entries.set(address, entry);
    }
    entry.sessions++;
    entry.budget.take(nowMs);
    let held = this.#held.get(holder);
    if (held === undefined) this.#held.set(holder, (held = new Map<string, number>()));
    held.set(address, (held.get(address) ?? 0) + 1);
    return "entered";
  }

  leave(holder: number, address: string): void {
    const held = this.#held.get(holder);
    const count = held?.get(address);
    const entry = this.#entries.get(address);
    if (held === undefined || count === undefined || entry === undefined) return;
    entry.sessions--;
    if (count > 1) held.set(address, count - 1);
    else held.delete(address);
  }

  /** The holder has ended, and its sessions with it. */
  leaveAll(holder: number): void {
    for (const [address, count] of this.#held.get(holder) ?? []) {
      const entry = this.#entries.get(address);
      if (entry !== undefined) entry.sessions -= count;
    }
    this.#held.delete(holder);
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < MINUTE_MS) return;
    this.#sweptAtMs = nowMs;
    for (const [address, { sessions, budget }] of this.#entries)
      if (sessions === 0 && budget.isFull(nowMs)) this.#entries.delete(address);
  }
}
