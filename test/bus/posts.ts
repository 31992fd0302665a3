/** Nodes of one worker with a client each, and what a node says of its bus. */
import assert from "node:assert/strict";
import { startFleet } from "../hub/fleet.js";
import type { Scope } from "../support/children.js";
import { waitFor } from "../support/wait.js";
import type { Post } from "./traffic.js";

export interface PostOptions {
  readonly url: string;
  readonly id: number;
  /** `LIMPET_*` variables. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function startPost(scope: Scope, { url, id, env = {} }: PostOptions): Promise<Post> {
  const args = ["--redis", url, "--node-id", String(id)];
  const { node, members } = await startFleet(scope, { workers: 1, args, env });
  const [member] = members;
  assert.ok(member);
  return { name: String.fromCharCode(64 + id), node, member };
}

export const busUp = async ({ node }: Post): Promise<boolean> => (await node.metric("limpet_bus_up")) === 1;

/** Waits until that is what all of them say. */
export async function waitForBus(up: boolean, posts: readonly Post[], timeoutMs = 20_000): Promise<void> {
  const said = new Map<string, unknown>();
  await waitFor(
    async () => {
      for (const post of posts) said.set(post.name, await readinessOf(post));
      return (await Promise.all(posts.map(busUp))).every((one) => one === up);
    },
    { timeoutMs, message: () => `the bus to be ${up ? "up" : "down"}: ${JSON.stringify(Object.fromEntries(said))}` },
  );
}

export interface Said {
  readonly status: number;
  readonly degraded: boolean;
  readonly reasons: readonly string[];
}

export async function readinessOf({ node }: Post): Promise<Said> {
  const response = await fetch(`${node.opsUrl}/readyz`, { signal: AbortSignal.timeout(5_000) });
  return { status: response.status, ...((await response.json()) as Omit<Said, "status">) };
}

/** Waits until the nodes are ready and degraded, and give such a reason. */
export async function waitForReason(reason: RegExp, posts: readonly Post[]): Promise<void> {
  for (const post of posts) {
    let said: Said | undefined;
    await waitFor(
      async () => {
        said = await readinessOf(post);
        return said.status === 200 && said.degraded && said.reasons.some((one) => reason.test(one));
      },
      { message: () => `${post.name} to be ready, degraded, because of ${reason}: ${JSON.stringify(said)}` },
    );
  }
}

/** Nothing has ended: the primaries are those that were started, and no worker was replaced. */
export async function assertNothingEnded(posts: readonly Post[]): Promise<void> {
  for (const { name, node } of posts) {
    const [worker] = await node.workers();
    assert.equal(worker?.restarts, 0, `${name}'s worker was replaced`);
  }
}

export const gapsOf = ({ node }: Post): Promise<number> => node.metric("limpet_bus_gaps_total");
