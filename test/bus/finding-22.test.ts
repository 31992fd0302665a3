/**
 * Finding 22: the stock adapter keeps 10,000 entries, whatever time that is, and a reader that was away for more does not notice what it missed.
 * limpet keeps entries for a time; what is older than that when a reader comes back is counted and logged.
 */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { sends } from "../support/tcp-proxy.js";
import { waitFor } from "../support/wait.js";
import { entriesAdded } from "./fleet.js";
import { all, collect, mark, publish } from "./recipe/numbers.js";
import { limpet, startPair, stock, type Side } from "./recipe/sides.js";

const COUNT = 30_000;
const CHUNK = 1_000;
const READER = sends("XREAD");

/** 30,000 messages while one server cannot read. */
async function readerAway(t: TestContext, side: Side, env: Readonly<Record<string, string>> = {}) {
  const pair = await startPair(t, side, { env });
  const { a, b } = pair;
  const got = collect(b.member);
  const local = collect(a.member);
  // From here on the stock adapter reads from a fixed id, too.
  await mark(a.member, [a.member, b.member]);
  b.proxy.cut(READER);
  for (let first = 0; first < COUNT; first += CHUNK) {
    await publish(a.member, CHUNK, { first });
    await waitFor(() => local.numbers.length >= first + CHUNK);
  }
  return { ...pair, got };
}

test("30,000 messages while a reader is away: the stock adapter loses most of them without a word", async (t) => {
  const { a, b, got } = await readerAway(t, stock);
  b.proxy.heal();
  await mark(a.member, [b.member], 20_000);
  const { delivered } = got.outcome();
  t.diagnostic(`${delivered} of ${COUNT} delivered`);
  assert.ok(delivered < COUNT / 2, `${delivered} delivered`);
});

test("30,000 messages while a reader is away: limpet delivers them all, in order and once", async (t) => {
  const { a, b, got } = await readerAway(t, limpet);
  b.proxy.heal();
  await mark(a.member, [b.member], 30_000);
  assert.deepEqual(got.outcome(), all(COUNT));
  assert.equal(await b.metric("limpet_bus_gaps_total"), 0);
});

test("a reader that is away for longer than limpet keeps messages: what it missed is counted and logged", async (t) => {
  const { redis, a, b, got } = await readerAway(t, limpet, { LIMPET_BUS_RETENTION_MS: "1000" });
  const client = redis.client();
  // Before that a stream can be short because not all are written.
  await waitFor(async () => (await a.metric("limpet_bus_outbox_bytes")) === 0, { timeoutMs: 20_000 });
  // Trimming comes with writing, and leaves what is younger.
  let extra = COUNT;
  await waitFor(
    async () => {
      await publish(a.member, 1, { first: extra++ });
      return (await client.xlen("socket.io")) < (await entriesAdded(client)) / 2;
    },
    { intervalMs: 200, timeoutMs: 20_000, message: "the stream to be trimmed" },
  );
  b.proxy.heal();
  await mark(a.member, [b.member], 20_000);
  const { delivered, duplicates, inOrder } = got.outcome();
  assert.deepEqual({ duplicates, inOrder }, { duplicates: 0, inOrder: true });
  assert.ok(delivered < extra);
  assert.ok((await b.metric("limpet_bus_gaps_total")) > 0);
  const logged = (text: string) => (b.node?.logs() ?? []).filter(({ msg }) => msg === text);
  const missed = (): number =>
    logged("messages of another node were lost before they were read").reduce(
      (sum, { messages }) => sum + Number(messages),
      0,
    );
  const message = (): string => `${extra - delivered} missing messages to be logged; ${missed()} were`;
  await waitFor(() => missed() >= extra - delivered, { message });
  assert.ok(logged("entries of the stream were lost before they were read").length > 0);
  t.diagnostic(`${delivered} of ${extra} delivered, ${missed()} logged as lost`);
  assert.equal(a.exits() + b.exits(), 0);
});
