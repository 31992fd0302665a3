/**
 * One room with all its members in one VU, though on whichever workers the server put them: so every delivery can be
 * accounted for, exactly, without a word between VUs.
 */
import { recordDelivery } from "../lib/metrics.ts";
import type { Settings } from "./catalog.ts";
import {
  countFailure,
  deliveriesDuplicate,
  deliveriesExpected,
  deliveriesMisordered,
  deliveriesMissing,
  replaced,
} from "./measures.ts";
import { Member, type Message, modeFor } from "./member.ts";

/** How many members connect at once while a room fills. */
const BATCH = 10;
/** Messages under way beyond which the room waits: a slow server must not make the load generator grow. */
const MAX_UNDER_WAY = 200;

export class Room {
  readonly #url: string;
  readonly #name: string;
  readonly #settings: Settings;
  readonly #text: string;
  #members: Member[] = [];
  #entered = 0;
  /** Per message under way: who has not got it yet. */
  readonly #owed = new Map<string, Set<Member>>();
  /** Per member: the last message of each sender. */
  readonly #last = new Map<Member, Map<string, number>>();
  #publishing: Promise<void>[] = [];
  #onSettled: (() => void) | undefined;

  constructor(url: string, name: string, settings: Settings) {
    this.#url = url;
    this.#name = name;
    this.#settings = settings;
    this.#text = "x".repeat(settings.payloadBytes);
  }

  async fill(size: number): Promise<void> {
    for (let left = size; left > 0; left -= BATCH) {
      await Promise.all(Array.from({ length: Math.min(BATCH, left) }, () => this.#admit()));
    }
  }

  /** One member says something to all; returns at once unless too much is under way. */
  async publish(): Promise<void> {
    if (this.#owed.size >= MAX_UNDER_WAY) await this.settle();
    const present = this.#members.filter((member) => member.present);
    const speaker = present[Math.floor(Math.random() * present.length)];
    if (speaker === undefined) return;
    const message = speaker.nextMessage(this.#text);
    this.#owed.set(keyOf(message), new Set(present));
    deliveriesExpected.add(present.length);
    const publishing = speaker.socket.emitWithAck("publish", this.#name, message).then(
      () => {},
      (error: unknown) => {
        countFailure("publish", error);
      },
    );
    this.#publishing.push(publishing);
  }

  /** Waits until everything has arrived; what has not within 10 s is counted as missing. */
  async settle(): Promise<void> {
    await Promise.all(this.#publishing);
    this.#publishing = [];
    if (this.#owed.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 10_000);
        this.#onSettled = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#onSettled = undefined;
    for (const members of this.#owed.values()) deliveriesMissing.add(members.size);
    this.#owed.clear();
  }

  /** The member that has been here longest leaves, once it has got everything, and another comes. */
  async replaceOne(): Promise<void> {
    await this.settle();
    const gone = this.#members.shift();
    if (gone === undefined) return;
    gone.leave();
    this.#last.delete(gone);
    await this.#admit();
    replaced.add(1);
  }

  close(): void {
    for (const member of this.#members) member.leave();
  }

  async #admit(): Promise<void> {
    const index = this.#entered++;
    const member = new Member(this.#url, `${this.#name}/${index}`, modeFor(this.#settings.transport, index));
    member.socket.on("message", (message: Message) => {
      this.#onMessage(member, message);
    });
    if (await member.enter(this.#name)) this.#members.push(member);
    else member.leave();
  }

  #onMessage(member: Member, message: Message): void {
    const owed = this.#owed.get(keyOf(message));
    if (owed?.delete(member) !== true) {
      deliveriesDuplicate.add(1);
      return;
    }
    recordDelivery(message.sentAtMs, member.socket.transport);
    const last = this.#last.get(member) ?? new Map<string, number>();
    this.#last.set(member, last);
    if (message.n < (last.get(message.from) ?? 0)) deliveriesMisordered.add(1);
    last.set(message.from, message.n);
    if (owed.size > 0) return;
    this.#owed.delete(keyOf(message));
    if (this.#owed.size === 0) this.#onSettled?.();
  }
}

function keyOf({ from, n }: Message): string {
  return `${from}#${n}`;
}
