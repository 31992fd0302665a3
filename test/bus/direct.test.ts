/** What workers of a fleet say past their primary: to each other without it, to other nodes through its pipe, in an order that nobody can see through. */
import assert from "node:assert/strict";
import test, { before } from "node:test";
import { block, fileScope, join, type Member } from "../hub/fleet.js";
import type { TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { startNodes, type Nodes } from "./fleet.js";

/** As long as a message may wait for others at all: whatever does not wait is seen not to. */
const GATHER_MS = 1_000;
const SOON_MS = GATHER_MS / 2;

const scope = fileScope();
let fleet: Nodes;
let nodeA: TestNode;
/** Two on each node. */
let a: Member, a2: Member, b: Member;
before(async () => {
  fleet = await startNodes(scope, { env: { LIMPET_BUS_GATHER_MS: String(GATHER_MS) } });
  [a, a2, b] = fleet.members as [Member, Member, Member];
  [nodeA] = fleet.nodes as [TestNode];
});

/** Has the worker publish so often that its primary looks every {@link GATHER_MS} only, for that long at least. */
async function makeBusy(from: Member): Promise<void> {
  await from.run(async ({ io }) => {
    for (let n = 0; n < 3; n++) {
      io.to("nobody").emit("traffic", n);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
}

/** @returns how long that took, in ms */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

const heard = (member: Member, event: string): unknown[] =>
  member.received.filter(([name]) => name === event).map(([, value]) => value);

test("a primary that stands still, or looks seldom, holds up no message on its node", async () => {
  await join("local", a2);
  await makeBusy(a);
  const busyMs = await timed(async () => {
    await a.run(({ io }) => void io.to("local").emit("while it is busy", 1));
    await waitFor(() => heard(a2, "while it is busy").length === 1, { intervalMs: 1 });
  });
  assert.ok(busyMs < SOON_MS, `${busyMs.toFixed(0)} ms`);
  nodeA.signal("SIGSTOP");
  try {
    await a.run(({ io }) => void io.to("local").emit("while it stands", 1));
    await waitFor(() => heard(a2, "while it stands").length === 1);
  } finally {
    nodeA.signal("SIGCONT");
  }
});

test("where there is much for other nodes it comes a few times, all of it and in order", async (t) => {
  await join("many", b);
  const times: number[] = [];
  const listener = (event: string): void => void (event === "many" && times.push(performance.now()));
  b.client.onAny(listener);
  t.after(() => void b.client.offAny(listener));
  await a.run(async ({ io }) => {
    for (let n = 0; n < 100; n++) {
      io.to("many").emit("many", n);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  await waitFor(() => times.length === 100);
  assert.deepEqual(
    heard(b, "many"),
    Array.from({ length: 100 }, (_, n) => n),
  );
  const batches = times.filter((time, i) => time - (times[i - 1] ?? -Infinity) > 20).length;
  t.diagnostic(`100 messages in about half a second came ${batches} times`);
  assert.ok(batches < 25, `${batches} times`);
});

test("who asks does not wait for others, and is answered behind what was said before it", async (t) => {
  await join("asked", b);
  await b.run(({ io }) => {
    io.on("question", (answer: (text: string) => void) => answer("answer"));
  });
  await a2.run(({ io }) => {
    io.on("question", (answer: (text: string) => void) => answer("sibling"));
  });
  await fleet.members[3]?.run(({ io }) => {
    io.on("question", (answer: (text: string) => void) => answer("sibling"));
  });
  await makeBusy(a);
  const sockets = await timed(() => a.run(({ io }) => io.fetchSockets().then((all) => all.length)));
  await makeBusy(a);
  const answers = await timed(() =>
    a.run(async ({ io }) => {
      io.to("asked").emit("before the question", 1);
      await io.serverSideEmitWithAck("question");
    }),
  );
  t.diagnostic(`fetchSockets took ${sockets.toFixed(0)} ms, serverSideEmit ${answers.toFixed(0)} ms`);
  assert.ok(sockets < SOON_MS && answers < SOON_MS, `${sockets} and ${answers} ms`);
  await waitFor(() => heard(b, "before the question").length === 1, { timeoutMs: SOON_MS });
});

test("a worker that was busy hears an answer from another node behind what it answers", async (t) => {
  await join("talk", a2, b);
  const rounds = 10;
  const listener = (n: number): void => void b.run(({ io }, value) => void io.to("talk").emit("answered", value), n);
  b.client.on("said", listener);
  t.after(() => void b.client.off("said", listener));
  for (let n = 0; n < rounds; n++) {
    await block(nodeA, a2, 100);
    // Its link has something to read before its pipe has: it looks there first.
    const scrape = nodeA.metrics();
    await a.run(({ io }, value) => void io.to("talk").emit("said", value), n);
    await waitFor(() => heard(a2, "answered").length === n + 1);
    await scrape;
  }
  const order = a2.received.filter(([event]) => event === "said" || event === "answered");
  const expected = Array.from({ length: rounds }, (_, n) => [
    ["said", n],
    ["answered", n],
  ]).flat();
  assert.deepEqual(order, expected);
});

test("what is large passes the pipe whole, to and from another node, between what is small", async () => {
  const sizes = [300_000, 10, 5_000, 0, 70_000, 4_000, 1];
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    await join("large", to);
    await from.run(({ io }, lengths: number[]) => {
      for (const size of lengths) {
        io.to("large").emit("text", "ü".repeat(size));
        io.to("large").emit("bytes", Buffer.alloc(size, size));
      }
    }, sizes);
    await waitFor(() => heard(to, "bytes").length === sizes.length);
    assert.deepEqual(
      heard(to, "text"),
      sizes.map((size) => "ü".repeat(size)),
    );
    assert.deepEqual(
      heard(to, "bytes"),
      sizes.map((size) => Buffer.alloc(size, size)),
    );
  }
});

test("what a worker had said when it is killed reaches the other nodes", async () => {
  await join("last words", b);
  await makeBusy(a);
  const task = a.run(({ io }) => {
    for (let n = 0; n < 50; n++) io.to("last words").emit("last", n);
    // Behind the end of this turn, at which it is written.
    setImmediate(() => setImmediate(() => process.kill(process.pid, "SIGKILL")));
  });
  await Promise.allSettled([task]);
  await waitFor(() => heard(b, "last").length === 50);
  assert.deepEqual(
    heard(b, "last"),
    Array.from({ length: 50 }, (_, n) => n),
  );
});
