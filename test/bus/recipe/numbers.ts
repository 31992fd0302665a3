/** Numbered messages: published by one server, collected by clients, and what became of them. */
import type { Member } from "../../hub/fleet.js";
import { waitFor } from "../../support/wait.js";

const EVENT = "number";

export interface Outcome {
  readonly delivered: number;
  readonly duplicates: number;
  readonly inOrder: boolean;
}

export interface Collector {
  /** In the order of their arrival. */
  readonly numbers: readonly number[];
  /** From `emit` to the client's handler, of each arrival, in ms. */
  readonly delaysMs: readonly number[];
  outcome(): Outcome;
}

/** Everything from 0 on, once, in order. */
export const all = (count: number): Outcome => ({ delivered: count, duplicates: 0, inOrder: true });

export function collect({ client }: Member): Collector {
  const numbers: number[] = [];
  const delaysMs: number[] = [];
  client.on(EVENT, (n: number, sentAtMs: number) => {
    numbers.push(n);
    delaysMs.push(Date.now() - sentAtMs);
  });
  return {
    numbers,
    delaysMs,
    outcome: () => {
      const delivered = new Set(numbers).size;
      const inOrder = numbers.every((n, i) => i === 0 || n >= (numbers[i - 1] ?? 0));
      return { delivered, duplicates: numbers.length - delivered, inOrder };
    },
  };
}

/** Emits `count` of them to everybody from this member's worker, from `first` on, `everyMs` apart or all at once. */
export async function publish(member: Member, count: number, { first = 0, everyMs = 0 } = {}): Promise<void> {
  await member.run(
    async ({ io }, event, from, to, pauseMs) => {
      for (let n = from; n < to; n++) {
        io.emit(event, n, Date.now());
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    },
    EVENT,
    first,
    first + count,
    everyMs,
  );
}

let marks = 0;

/** Emits a word of its own, and waits until it has come to these members: what was published before it has come, or is lost. */
export async function mark(publisher: Member, members: readonly Member[], timeoutMs = 10_000): Promise<void> {
  const name = `mark ${++marks}`;
  await publisher.run(({ io }, word) => void io.emit(word), name);
  const arrived = (): boolean => members.every(({ received }) => received.some(([event]) => event === name));
  await waitFor(arrived, { timeoutMs, intervalMs: 5, message: `the ${name} to arrive` });
}
