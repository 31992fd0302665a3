/** Namespaces of a fleet: a node is subscribed to those that its workers have open, and to no others. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { arrivals, enter, type Member } from "../hub/fleet.js";
import { waitFor } from "../support/wait.js";
import { startNodes, subscribers, waitForSubscribers } from "./fleet.js";

/** Over so many in a row memory must be flat. Before that the processes grow to the size that they keep, V8's young generation in one step of some 8 MiB: when, it decides. */
const FLAT_BATCHES = 3;
const MIN_BATCHES = 2 * FLAT_BATCHES;
const MAX_BATCHES = 3 * FLAT_BATCHES;
const PER_BATCH = 2_000;
const AT_ONCE = 50;
/** Over the batches in which it is flat: less than 1.4 KiB for each namespace that came and went. */
const SLACK_MIB = 8;

const rssMib = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

const env = { LIMPET_SOCKETIO_CLEANUP_EMPTY_CHILD_NAMESPACES: "true", NODE_OPTIONS: "--expose-gc" };

test("a node is subscribed to a namespace from its first worker that opens it until its last that closes it", async (t) => {
  const { client, members } = await startNodes(t, { env });
  const [a, a2, b] = members as [Member, Member, Member];
  const nsp = "/dynamic-one";
  assert.equal(await subscribers(client, nsp), 0);
  assert.equal(await subscribers(client, "/empty"), 2);
  const first = await enter(a, nsp);
  await waitForSubscribers(client, nsp, 1);
  const second = await enter(a2, nsp);
  // Both workers of the first node have it open: the other node is not subscribed, and the first one once.
  assert.equal(await second.run(({ socket }) => socket.nsp.adapter.serverCount()), 2);
  assert.equal(await subscribers(client, nsp), 1);
  const third = await enter(b, nsp);
  await waitForSubscribers(client, nsp, 2);
  await third.run(({ socket }) => void socket.nsp.emit("hello", 1));
  assert.deepEqual(await arrivals(third, [first, second, third]), Array(3).fill([["hello", 1]]));
  third.client.disconnect();
  await waitForSubscribers(client, nsp, 1);
  first.client.disconnect();
  await waitFor(async () => (await second.run(({ socket }) => socket.nsp.adapter.serverCount())) === 1, {
    message: "one worker with the namespace open",
  });
  assert.equal(await subscribers(client, nsp), 1);
  assert.equal(await second.run(async ({ socket }) => (await socket.nsp.fetchSockets()).length), 1);
  second.client.disconnect();
  await waitForSubscribers(client, nsp, 0);
  // It is one again when it comes back.
  const [again, there] = [await enter(a, nsp), await enter(b, nsp)];
  await waitForSubscribers(client, nsp, 2);
  assert.equal(await again.run(async ({ socket }) => (await socket.nsp.fetchSockets()).length), 2);
  for (const guest of [again, there]) guest.client.disconnect();
  await waitForSubscribers(client, nsp, 0);
});

interface Memory {
  readonly primariesMib: readonly number[];
  readonly heapsMib: readonly number[];
}

/** What grew over the last batches, in words. */
function growth(measured: readonly Memory[]): readonly string[] {
  const [last, earlier] = [measured.at(-1), measured.at(-1 - FLAT_BATCHES)];
  if (last === undefined || earlier === undefined) return ["too few batches"];
  return (["primariesMib", "heapsMib"] as const).flatMap((kind) =>
    last[kind].flatMap((mib, n) =>
      mib - (earlier[kind][n] ?? 0) < SLACK_MIB ? [] : [`${kind} ${n}: ${earlier[kind][n]} to ${mib}`],
    ),
  );
}

test(`${PER_BATCH * MIN_BATCHES} namespaces opened and closed leave no channel behind, and memory flat`, async (t) => {
  const { client, nodes, members } = await startNodes(t, { env });
  const [a, , b] = members as [Member, Member, Member];
  const channels = async (): Promise<number> => ((await client.pubsub("CHANNELS", "*")) as string[]).length;
  const before = await channels();
  const measured: Memory[] = [];
  for (let batch = 0; batch < MIN_BATCHES || (growth(measured).length > 0 && batch < MAX_BATCHES); batch++) {
    for (let done = 0; done < PER_BATCH; done += AT_ONCE) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, n) => {
          const name = `/dynamic-${batch}x${done + n}`;
          const { client: guest } = await enter(n % 2 === 0 ? a : b, name);
          guest.disconnect();
          // The manager keeps sockets by namespace; this client is to stay as small as it was.
          delete (guest.io as unknown as { nsps: Record<string, unknown> }).nsps[name];
        }),
      );
    }
    let left = -1;
    const message = (): string => `the channels that were there before, ${before}; there are ${left}`;
    await waitFor(async () => (left = await channels()) === before, { message });
    const heapsMib = await Promise.all(
      [a, b].map((member) =>
        member.run(() => {
          (globalThis as { gc?: () => void }).gc?.();
          return process.memoryUsage().heapUsed / 1_048_576;
        }),
      ),
    );
    measured.push({ primariesMib: nodes.map(({ pid }) => rssMib(pid)), heapsMib });
    const shown = (list: readonly number[]): string => list.map((mib) => mib.toFixed(1)).join(" and ");
    const { primariesMib } = measured.at(-1) ?? { primariesMib: [] };
    t.diagnostic(
      `after batch ${batch + 1}: primaries ${shown(primariesMib)} MiB, heap of workers ${shown(heapsMib)} MiB`,
    );
  }
  assert.deepEqual(growth(measured), []);
  // What is left works.
  await a.run(({ io }) => void io.emit("hello", 1));
  assert.deepEqual(await arrivals(a, [a, b]), Array(2).fill([["hello", 1]]));
});
