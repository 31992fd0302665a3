/** What the network between a node and Redis can do to two nodes that talk: it is slow, or one of the node's connections is cut, or hangs. */
import assert from "node:assert/strict";
import test, { afterEach, before } from "node:test";
import { fileScope } from "../hub/fleet.js";
import { startRedis } from "../support/redis.js";
import { sends, startProxy, type Link, type Select, type TcpProxy } from "../support/tcp-proxy.js";
import { waitFor } from "../support/wait.js";
import { assertNothingLost, startAlone, suffer } from "./outage.js";
import { busUp, startPost } from "./posts.js";
import type { Post } from "./traffic.js";

const ENV = { LIMPET_BUS_STALL_TIMEOUT_MS: "1000" };
/** Each way. */
const SLOW_MS = 250;

const scope = fileScope();
/** Between node A and Redis. */
let proxy: TcpProxy;
let alone: Post, a: Post, b: Post;
before(async () => {
  const redis = await startRedis(scope);
  proxy = await startProxy(redis.port, scope);
  [alone, a, b] = await Promise.all([
    startAlone(scope),
    startPost(scope, { url: proxy.url, id: 1, env: ENV }),
    startPost(scope, { url: redis.url, id: 2, env: ENV }),
  ]);
});

// What fails in one test must not be the next one's network.
afterEach(() => {
  proxy.resume();
  proxy.heal();
});

test("a slow Redis: messages are late, the lag says how late, and nothing is lost", async () => {
  const pairs = await suffer("slow", [a, b], alone, {
    begin: async () => {
      // There and back in less than the stall timeout, or the node would be right to call the connection dead.
      proxy.delay(SLOW_MS);
      const lagS = async (): Promise<number> => a.node.metric("limpet_bus_lag_seconds");
      await waitFor(async () => (await lagS()) >= (2 * SLOW_MS) / 1_000, { message: "the lag to show" });
      assert.deepEqual([await busUp(a), await busUp(b)], [true, true]);
    },
    end: () => proxy.heal(),
  });
  assertNothingLost(pairs);
});

/** What tells a node's connections apart. */
const LINKS: readonly { name: string; select: Select; waits: boolean }[] = [
  { name: "reader", select: sends("XREAD"), waits: false },
  { name: "writer", select: sends("XADD"), waits: true },
  { name: "subscriber", select: sends("SUBSCRIBE"), waits: false },
];

for (const { name, select, waits } of LINKS) {
  test(`the ${name}'s link of one of two nodes is cut: nothing is lost`, async () => {
    const pairs = await suffer(`${name} cut`, [a, b], alone, {
      begin: () => proxy.cut(select),
      end: () => proxy.heal(),
      reason: /ECONNRESET|broke|no connection|cannot be reached/,
      down: [a],
      waiting: waits ? [a] : [],
    });
    assertNothingLost(pairs);
  });

  test(`the ${name}'s link of one of two nodes hangs: it is made anew, and nothing is lost`, async () => {
    const hanging = new Set(proxy.links().filter((link) => link.open && select(link)));
    assert.equal(hanging.size, 1);
    const pairs = await suffer(`${name} hangs`, [a, b], alone, {
      begin: () => proxy.stall((link) => hanging.has(link)),
      // It is left to hang: the node must help itself.
      end: () => undefined,
      ...(name === "subscriber" ? {} : { reason: /does not answer|cannot be reached|broke/, down: [a] }),
      waiting: waits ? [a] : [],
    });
    assertNothingLost(pairs);
    const isNew = (link: Link): boolean => link.open && select(link) && !hanging.has(link);
    await waitFor(() => proxy.links().some(isNew), { message: "another link in place of the hanging one" });
  });
}
