/** A fail-over of Redis under traffic: what did not come, held against what the old master had taken and what the new one holds. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import type { Redis } from "ioredis";
import type { TestRedis } from "../support/redis.js";
import { readBundle } from "../../src/bus/bundle.js";
import { waitFor } from "../support/wait.js";
import { STREAM } from "./fleet.js";
import { assertNothingEnded, gapsOf, waitForBus } from "./posts.js";
import { describe, Traffic, type Post } from "./traffic.js";

/** Of two posts together 500. */
const PER_SECOND = 250;

export interface FailOver {
  readonly master: TestRedis;
  /** @returns the new master */
  readonly run: () => Promise<TestRedis>;
}

export interface Outcome {
  /** Messages that one post sent and another did not get. */
  readonly lost: number;
  /** Messages that the old master had taken and the new one does not hold. */
  readonly lostByRedis: number;
  readonly gaps: number;
}

export async function failOver(name: string, posts: readonly Post[], { master, run }: FailOver): Promise<Outcome> {
  const gapsBefore = await sumOf(posts);
  const taken = await recordOf(master);
  const traffic = await Traffic.start(posts, { perSecond: PER_SECOND });
  const sinceMs = Date.now();
  const next = await run();
  const servedMs = Date.now();
  await traffic.flows(1);
  const followedMs = Date.now() - servedMs;
  await traffic.flows(PER_SECOND);
  await waitForBus(true, posts);
  await traffic.stop();
  const pairs = (await traffic.settle()).filter(({ from, to }) => from !== to);
  taken.stop();
  const held = await messagesIn(next.client());

  const goneFromRedis = new Set([...taken.messages].filter((message) => !held.has(message)));
  const gaps = (await sumOf(posts)) - gapsBefore;
  console.log(
    `${name}: ${goneFromRedis.size} taken by the old master and unknown to the new one; ` +
      `no message for ${traffic.longestSilenceMs(sinceMs)} ms, the last ${followedMs} ms of them with the new master there; ` +
      `${gaps} gaps counted`,
  );
  for (const pair of pairs) console.log(`  ${describe(pair)}`);

  await assertNothingEnded(posts);
  for (const { from, to, lost, duplicates, inOrder } of pairs) {
    assert.deepEqual({ duplicates, inOrder }, { duplicates: 0, inOrder: true }, `${from} to ${to}`);
    const byLimpet = lost.filter((n) => !goneFromRedis.has(messageKey(traffic.room, from, n)));
    assert.deepEqual(byLimpet, [], `lost from ${from} to ${to}, and not by Redis`);
  }
  const lost = pairs.reduce((sum, pair) => sum + pair.lost.length, 0);
  if (lost > 0) assert.ok(gaps > 0, "the loss was not counted");
  return { lost, lostByRedis: goneFromRedis.size, gaps };
}

/**
 * Lets a master take messages that its replica never gets, as a network that breaks before the master does: for as long as `meanwhile` takes.
 * What was on its way before has arrived.
 */
export async function withoutReplica(
  master: TestRedis,
  replica: TestRedis,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const admin = master.client();
  replica.freeze();
  await admin.call("CLIENT", "KILL", "TYPE", "replica");
  try {
    await meanwhile();
  } finally {
    replica.thaw();
    admin.disconnect();
  }
}

const sumOf = async (posts: readonly Post[]): Promise<number> =>
  (await Promise.all(posts.map(gapsOf))).reduce((sum, gaps) => sum + gaps, 0);

const messageKey = (event: string, from: string, n: number): string => `${event} ${from} ${n}`;

/** Messages of the posts that a server takes from now on, as MONITOR tells them; to ioredis its first lines are a surprise. */
async function recordOf(server: TestRedis): Promise<{ messages: ReadonlySet<string>; stop: () => void }> {
  const messages = new Set<string>();
  const socket = connect(server.port, server.host);
  // The server is about to end.
  socket.on("error", () => undefined);
  socket.write("MONITOR\r\n");
  const lines = createInterface({ input: socket });
  await once(lines, "line");
  lines.on("line", (line) => {
    const [command, ...args] = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = ""]) =>
      text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char)),
    );
    if (command?.toLowerCase() === "xadd") remember(messages, args);
  });
  return { messages, stop: () => socket.destroy() };
}

/** Messages of the posts that are in the stream. */
export async function messagesIn(client: Redis): Promise<ReadonlySet<string>> {
  const messages = new Set<string>();
  const entries = await waitFor(() => client.xrange(STREAM, "-", "+"), { message: "the new master's stream" });
  for (const [, fields] of entries) remember(messages, fields);
  return messages;
}

function remember(messages: Set<string>, fields: readonly string[]): void {
  const valueOf = (name: string): string => fields[fields.indexOf(name) + 1] ?? "";
  if (fields.includes("b")) readBundle(Buffer.from(valueOf("b")), (_, _header, data) => add(messages, data.toString()));
  else add(messages, valueOf("data"));
}

function add(messages: Set<string>, data: string): void {
  if (!data.startsWith("{")) return;
  const { packet } = JSON.parse(data) as { packet?: { data?: [event: string, from: string, n: number] } };
  if (packet?.data !== undefined) messages.add(messageKey(...packet.data));
}
