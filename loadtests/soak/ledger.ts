/**
 * Who must hear what. Publishers number their messages; whoever is in the room during the whole of a message's life must hear it, once, and each
 * publisher's in order. Nothing here knows of a network: it is told what was said, heard, joined and cut.
 *
 * What is excused, and nothing else: of a client that is cut, what was said from the last message that it heard, {@link TAIL_MS} back at most, until its
 * next join is acknowledged; and of a publisher that is cut, what it said last, as far back, as far as no other node has heard any of it or of what it
 * said later.
 */

/** What a client that is cut may have missed although it was said before. More than this was lost on a connection that still stood. */
export const TAIL_MS = 10_000;
const LATE_MS = 1_000;
/** Faults that are told in words. */
const MAX_TOLD = 20;

export interface LedgerCounts {
  readonly said: number;
  readonly heard: number;
  /** Heard more than a second after they were said, as happens while Redis is away. */
  readonly late: number;
  readonly excused: number;
  /** Heard once more by a client that had been cut meanwhile. */
  readonly again: number;
  readonly lost: number;
  readonly repeated: number;
  readonly overtaken: number;
  readonly slowestMs: number;
}

interface Cut {
  /** Numbers below it were said by then. */
  readonly before: number;
  readonly atMs: number;
  /** Where the publisher was. */
  readonly node: number | undefined;
  /** The last number that was heard on another node: it had left, and all before it. */
  left: number;
}

interface Publisher {
  /** By number. */
  readonly saidAtMs: number[];
  /** Each time it was cut. */
  readonly cuts: Cut[];
}

/** What one member has heard of one publisher. */
interface Ear {
  /** The first that it has not heard and must hear, or may be excused. */
  next: number;
  last: number;
  /** What of it was heard before the last cut. */
  lastBeforeCut: number;
  readonly missing: Set<number>;
}

interface Member {
  readonly room: string;
  readonly ears: Map<number, Ear>;
  joined: boolean;
  /** The id of the node it is at, or was at last. */
  node: number | undefined;
  cutAtMs: number;
}

export class Ledger {
  readonly #publishers = new Map<number, Publisher>();
  readonly #members = new Map<number, Member>();
  readonly #counts = {
    said: 0,
    heard: 0,
    late: 0,
    excused: 0,
    again: 0,
    lost: 0,
    repeated: 0,
    overtaken: 0,
    slowestMs: 0,
  };
  /** The first faults, in words. */
  readonly told: string[] = [];

  get counts(): LedgerCounts {
    return { ...this.#counts };
  }

  /** A client that speaks and listens in one room. */
  add(id: number, room: string): void {
    this.#publishers.set(id, { saidAtMs: [], cuts: [] });
    this.#members.set(id, { room, ears: new Map(), joined: false, node: undefined, cutAtMs: -Infinity });
    for (const [other, member] of this.#members) {
      if (member.room !== room) continue;
      this.#member(id).ears.set(other, newEar());
      member.ears.set(id, newEar());
    }
  }

  /** @returns the message's number */
  said(from: number, atMs: number): number {
    this.#counts.said++;
    return this.#publisher(from).saidAtMs.push(atMs) - 1;
  }

  /** Its join was acknowledged by that node: it must hear what is said from now on. */
  joined(id: number, node: number): void {
    const member = this.#member(id);
    member.joined = true;
    member.node = node;
    for (const [from, ear] of member.ears) ear.next = this.#publisher(from).saidAtMs.length;
  }

  /** Its connection has ended. */
  cut(id: number, atMs: number): void {
    const member = this.#member(id);
    if (member.joined) {
      for (const [from, ear] of member.ears)
        this.#passOver(id, from, ear, this.#publisher(from).saidAtMs.length, atMs - TAIL_MS);
    }
    member.joined = false;
    member.cutAtMs = atMs;
    for (const ear of member.ears.values()) ear.lastBeforeCut = ear.last;
    this.#cutPublisher(id, member, atMs);
  }

  heard(id: number, from: number, n: number, atMs: number): void {
    const member = this.#member(id);
    const ear = member.ears.get(from);
    const saidAtMs = this.#publishers.get(from)?.saidAtMs[n];
    if (ear === undefined || saidAtMs === undefined) {
      this.#counts.repeated++;
      this.#tell(`client ${id} heard ${from}:${n}, which was not said in its room`);
      return;
    }
    if (n <= ear.last) {
      this.#heardBefore(id, from, n, member, ear, saidAtMs);
      return;
    }
    const cut = this.#cutAfter(from, n);
    if (cut !== undefined && member.joined && member.node !== cut.node) cut.left = Math.max(cut.left, n);
    if (member.joined) this.#passOver(id, from, ear, n, Infinity);
    ear.last = n;
    ear.next = Math.max(ear.next, n + 1);
    this.#counts.heard++;
    const tookMs = atMs - saidAtMs;
    if (tookMs > LATE_MS) this.#counts.late++;
    this.#counts.slowestMs = Math.max(this.#counts.slowestMs, tookMs);
  }

  /** Messages that somebody must hear yet. */
  get pending(): number {
    let pending = 0;
    for (const { joined, ears } of this.#members.values()) {
      if (!joined) continue;
      for (const [from, { next }] of ears) {
        const { saidAtMs } = this.#publisher(from);
        for (let n = next; n < saidAtMs.length; n++) if (!this.#wasCutOff(from, n, saidAtMs.length)) pending++;
      }
    }
    return pending;
  }

  /** Nothing comes any more: what is pending is lost. */
  close(): void {
    for (const [id, { joined, ears }] of this.#members) {
      if (!joined) continue;
      for (const [from, ear] of ears) this.#passOver(id, from, ear, this.#publisher(from).saidAtMs.length, Infinity);
    }
  }

  /** What was said before the time and is not excused is lost. */
  #passOver(id: number, from: number, ear: Ear, until: number, beforeMs: number): void {
    const { saidAtMs } = this.#publisher(from);
    for (; ear.next < until; ear.next++) {
      const said = saidAtMs[ear.next] ?? -Infinity;
      if (said > beforeMs || this.#wasCutOff(from, ear.next, until)) {
        this.#counts.excused++;
        continue;
      }
      this.#counts.lost++;
      ear.missing.add(ear.next);
      this.#tell(`client ${id} did not hear ${from}:${ear.next}, said at ${new Date(said).toISOString()}`);
    }
  }

  #cutPublisher(id: number, { room, node }: Member, atMs: number): void {
    const { cuts, saidAtMs } = this.#publisher(id);
    let left = -1;
    for (const other of this.#members.values()) {
      if (other.room !== room || !other.joined || other.node === node) continue;
      left = Math.max(left, other.ears.get(id)?.last ?? -1);
    }
    cuts.push({ before: saidAtMs.length, atMs, node, left });
  }

  /** The end of the connection by which it was said, where that has ended. */
  #cutAfter(from: number, n: number): Cut | undefined {
    return this.#publisher(from).cuts.find(({ before }) => before > n);
  }

  /** Whether it may have been lost with its publisher's connection or node, before number `until` was said. */
  #wasCutOff(from: number, n: number, until: number): boolean {
    const cut = this.#cutAfter(from, n);
    if (cut === undefined || cut.before > until || n <= cut.left) return false;
    return (this.#publisher(from).saidAtMs[n] ?? -Infinity) > cut.atMs - TAIL_MS;
  }

  #heardBefore(id: number, from: number, n: number, member: Member, ear: Ear, saidAtMs: number): void {
    if (ear.missing.delete(n)) {
      this.#counts.lost--;
      this.#counts.overtaken++;
      this.#tell(`client ${id} heard ${from}:${n} after a later one`);
    } else if (n <= ear.lastBeforeCut && saidAtMs > member.cutAtMs - TAIL_MS) this.#counts.again++;
    else {
      this.#counts.repeated++;
      this.#tell(`client ${id} heard ${from}:${n} twice`);
    }
  }

  #tell(fault: string): void {
    if (this.told.length < MAX_TOLD) this.told.push(fault);
  }

  #publisher(id: number): Publisher {
    return known(this.#publishers.get(id), id);
  }

  #member(id: number): Member {
    return known(this.#members.get(id), id);
  }
}

const newEar = (): Ear => ({ next: 0, last: -1, lastBeforeCut: -1, missing: new Set() });

function known<T>(value: T | undefined, id: number): T {
  if (value === undefined) throw new Error(`there is no client ${id}`);
  return value;
}
