/** Dynamic namespaces come and go by the thousand and leave nothing behind; more than the bound are refused. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { waitFor } from "../support/wait.js";
import { arrivals, connect, enter, refusal, startFleet, type Member } from "./fleet.js";

const BATCHES = 5;
const PER_BATCH = 2_000;
const AT_ONCE = 50;
/** Growth that the later batches may show: garbage that was not collected yet, not 2,000 namespaces (about 20 MiB) a batch. */
const SLACK_MIB = 15;

interface Measurement {
  /** Of each worker. */
  readonly inside: readonly { readonly heapMib: number; readonly namespaces: number; readonly listeners: number }[];
  readonly primaryMib: number;
}

const rssMib = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

test("10,000 namespaces opened and closed leave memory and listeners flat", async (t) => {
  const env = { LIMPET_SOCKETIO_CLEANUP_EMPTY_CHILD_NAMESPACES: "true", NODE_OPTIONS: "--expose-gc" };
  const { node, members } = await startFleet(t, { workers: 2, env });
  const [a, b] = members as [Member, Member];
  const measure = async (): Promise<Measurement> => {
    const inside = await Promise.all(
      [a, b].map((member) =>
        member.run(({ io }) => {
          (globalThis as { gc?: () => void }).gc?.();
          const { _nsps } = io as unknown as { _nsps: Map<string, unknown> };
          const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
          return { heapMib: process.memoryUsage().heapUsed / 1_048_576, namespaces: _nsps.size, listeners };
        }),
      ),
    );
    return { inside, primaryMib: rssMib(node.pid) };
  };
  const measured: Measurement[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    for (let done = 0; done < PER_BATCH; done += AT_ONCE) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, n) => {
          const member = await enter(n % 2 === 0 ? a : b, `/dynamic-${batch}x${done + n}`);
          member.client.disconnect();
          // The manager keeps sockets by namespace; this client is to stay as small as it was.
          delete (member.client.io as unknown as { nsps: Record<string, unknown> }).nsps[
            `/dynamic-${batch}x${done + n}`
          ];
        }),
      );
    }
    await waitFor(async () => (await measure()).inside.every(({ namespaces }) => namespaces <= 5));
    measured.push(await measure());
  }
  for (const [batch, { inside, primaryMib }] of measured.entries()) {
    const heaps = inside.map(({ heapMib }) => heapMib.toFixed(1)).join(" and ");
    t.diagnostic(`after batch ${batch + 1}: heap of the workers ${heaps} MiB, primary ${primaryMib.toFixed(0)} MiB`);
  }
  const [, second] = measured;
  const last = measured.at(-1);
  assert.ok(second !== undefined && last !== undefined);
  for (const [n, { heapMib, listeners, namespaces }] of last.inside.entries()) {
    const earlier: Measurement["inside"][number] | undefined = second.inside[n];
    assert.ok(earlier !== undefined);
    assert.ok(heapMib - earlier.heapMib < SLACK_MIB / 3, `worker ${n}: ${earlier.heapMib} to ${heapMib} MiB`);
    assert.deepEqual({ listeners, namespaces }, { listeners: earlier.listeners, namespaces: earlier.namespaces });
  }
  assert.ok(last.primaryMib - second.primaryMib < SLACK_MIB, "the primary grows");
  assert.doesNotMatch(node.output(), /MaxListenersExceededWarning/);
});

test("one namespace too many is refused by name and counted, and the others go on", async (t) => {
  const { node, members } = await startFleet(t, { workers: 2, env: { LIMPET_HUB_MAX_NAMESPACES: "5" } });
  const [a] = members as [Member, Member];
  // Three are the app's own: "/", "/custom" and "/empty".
  const [one] = [await enter(a, "/dynamic-one"), await enter(a, "/dynamic-two")];
  const refused = await node.metric("limpet_hub_messages_total", { outcome: "rejected" });
  assert.equal(await refusal(a.client.io.socket("/dynamic-three")), "Invalid namespace");
  assert.equal(await node.metric("limpet_hub_messages_total", { outcome: "rejected" }), refused + 1);
  await one.run(({ socket }) => void socket.nsp.emit("hello", 1));
  assert.deepEqual(await arrivals(one, [one]), [[["hello", 1]]]);
  const guest = await connect(t, node.url);
  assert.ok(guest.client.connected);
});
