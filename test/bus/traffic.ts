/** Numbered messages between the clients of several nodes, at a set rate: what came, in which order, and how late. */
import assert from "node:assert/strict";
import type { Socket } from "socket.io-client";
import { join, type Member } from "../hub/fleet.js";
import type { TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

/** A node, and a client of its own that speaks and listens. */
export interface Post {
  readonly name: string;
  readonly node: TestNode;
  readonly member: Member;
}

export interface TrafficOptions {
  /** Messages of each post. */
  readonly perSecond: number;
  /** Of filling, in each message. */
  readonly bytes?: number;
}

interface Heard {
  readonly numbers: number[];
  readonly latenciesMs: { readonly atMs: number; readonly ms: number }[];
}

export interface Pair {
  readonly from: string;
  readonly to: string;
  readonly sent: number;
  readonly delivered: number;
  /** Numbers that never came. */
  readonly lost: readonly number[];
  readonly duplicates: number;
  readonly inOrder: boolean;
}

const DELIVERY_TIMEOUT_MS = 30_000;
let rooms = 0;

/** From the start on every post publishes to a room in which all of them are. */
export class Traffic {
  /** The room, and the name of its events. */
  readonly room = `traffic ${++rooms}`;
  readonly #posts: readonly Post[];
  readonly #heard = new Map<string, Heard>();
  readonly #sent = new Map<string, number>();

  private constructor(posts: readonly Post[]) {
    this.#posts = posts;
  }

  static async start(posts: readonly Post[], { perSecond, bytes = 20 }: TrafficOptions): Promise<Traffic> {
    const traffic = new Traffic(posts);
    await join(traffic.room, ...posts.map(({ member }) => member));
    for (const { name, member } of posts) traffic.#listen(name, member.client);
    for (const { name, member } of posts)
      await member.run(
        ({ io, socket }, room, from, rate, filling) => {
          let n = 0;
          const startedAtMs = performance.now();
          const timer = setInterval(() => {
            const due = ((performance.now() - startedAtMs) / 1_000) * rate;
            while (n < due) io.to(room).emit(room, from, ++n, Date.now(), filling);
          }, 4);
          socket.data = {
            ...(socket.data as object),
            silence: () => {
              clearInterval(timer);
              return n;
            },
          };
        },
        traffic.room,
        name,
        perSecond,
        "x".repeat(bytes),
      );
    await traffic.flows();
    return traffic;
  }

  /** Waits until every post has heard so many more messages of every post, or of `only` those pairs. */
  async flows(count = 20, only: (from: string, to: string) => boolean = () => true): Promise<void> {
    const wanted = this.#pairs()
      .filter(({ from, to }) => only(from, to))
      .map(({ from, to }) => ({ from, to, count: this.#of(from, to).numbers.length + count }));
    const behind = (): typeof wanted =>
      wanted.filter((pair) => this.#of(pair.from, pair.to).numbers.length < pair.count);
    const message = (): string => `messages: ${JSON.stringify(behind())}`;
    await waitFor(() => behind().length === 0, { timeoutMs: DELIVERY_TIMEOUT_MS, message });
  }

  /** Time from publishing to arrival on the same node, since then: the 99th percentile over all posts. */
  localP99Ms(sinceMs: number): number {
    const since = this.#posts.flatMap(({ name }) =>
      this.#of(name, name).latenciesMs.filter(({ atMs }) => atMs >= sinceMs),
    );
    assert.ok(since.length >= 20, `there were ${since.length} local messages`);
    const sorted = since.map(({ ms }) => ms).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? NaN;
  }

  /** The longest time in which a post heard nothing of another one. */
  longestSilenceMs(sinceMs: number): number {
    const silences = this.#pairs().flatMap(({ from, to }) => {
      const times = [
        sinceMs,
        ...this.#of(from, to)
          .latenciesMs.map(({ atMs }) => atMs)
          .filter((at) => at > sinceMs),
      ];
      return from === to ? [] : times.slice(1).map((at, i) => at - (times[i] ?? at));
    });
    return Math.max(0, ...silences);
  }

  /** Ends the publishing. */
  async stop(): Promise<void> {
    for (const { name, member } of this.#posts) {
      const sent = await member.run(({ socket }) => (socket.data as { silence: () => number }).silence());
      this.#sent.set(name, sent);
    }
  }

  /** After `stop`: waits until a last message of each post has come to every other one, and tells what came before. */
  async settle(): Promise<readonly Pair[]> {
    for (const { name, member } of this.#posts)
      await member.run(
        ({ io }, room, from) => void io.to(room).emit(room, from, Infinity, Date.now()),
        this.room,
        name,
      );
    const isDone = ({ from, to }: { from: string; to: string }): boolean => this.#of(from, to).numbers.includes(-1);
    const message = (): string =>
      `the last messages of ${JSON.stringify(this.#pairs().filter((pair) => !isDone(pair)))}`;
    await waitFor(() => this.#pairs().every(isDone), { timeoutMs: DELIVERY_TIMEOUT_MS, message });
    return this.#pairs().map(({ from, to }) => this.#judge(from, to));
  }

  #judge(from: string, to: string): Pair {
    const numbers = this.#of(from, to).numbers.filter((n) => n !== -1);
    const sent = this.#sent.get(from) ?? 0;
    const came = new Set(numbers);
    const lost = Array.from({ length: sent }, (_, i) => i + 1).filter((n) => !came.has(n));
    return {
      from,
      to,
      sent,
      delivered: came.size,
      lost,
      duplicates: numbers.length - came.size,
      inOrder: numbers.every((n, i) => i === 0 || n > (numbers[i - 1] ?? 0)),
    };
  }

  #listen(to: string, client: Socket): void {
    for (const { name } of this.#posts) this.#heard.set(`${name} ${to}`, { numbers: [], latenciesMs: [] });
    client.on(this.room, (from: string, n: number | null, sentAtMs: number) => {
      const { numbers, latenciesMs } = this.#of(from, to);
      // JSON has no Infinity.
      numbers.push(n ?? -1);
      const atMs = Date.now();
      latenciesMs.push({ atMs, ms: atMs - sentAtMs });
    });
  }

  #of(from: string, to: string): Heard {
    const heard = this.#heard.get(`${from} ${to}`);
    assert.ok(heard);
    return heard;
  }

  #pairs(): { from: string; to: string }[] {
    return this.#posts.flatMap(({ name: from }) => this.#posts.map(({ name: to }) => ({ from, to })));
  }
}

export const describe = ({ from, to, sent, delivered, lost, duplicates, inOrder }: Pair): string =>
  `${from} to ${to}: ${sent} sent, ${delivered} delivered, ${lost.length} lost, ${duplicates} twice, ${inOrder ? "in order" : "OUT OF ORDER"}`;
