/** Clients of the scenarios, joined to the main namespace. */
import assert from "node:assert/strict";
import type { Scope } from "../support/children.js";
import { WebSocketSession } from "../support/engine-client.js";
import type { TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

export async function openClient(scope: Scope, node: TestNode): Promise<WebSocketSession> {
  const session = await WebSocketSession.open(scope, { port: node.port });
  await session.joinMain();
  return session;
}

/** Clients on two workers of a node that has none, or whose last ones are leaving. */
export async function openPair(scope: Scope, node: TestNode): Promise<readonly [WebSocketSession, WebSocketSession]> {
  // The front balances by what workers report, which may come some milliseconds after their own metrics show it.
  await waitFor(async () => (await node.workers()).every(({ sessions }) => sessions === 0), {
    message: "the front to count no session",
  });
  const first = await openClient(scope, node);
  const second = await openClient(scope, node);
  assert.notEqual(slotOf(first.sid), slotOf(second.sid), "two clients of a node without others are on two workers");
  return [first, second];
}

/** Sends an event and waits for its ack. */
export async function call(session: WebSocketSession, event: string, ...args: unknown[]): Promise<void> {
  session.send(`421${JSON.stringify([event, ...args])}`);
  assert.equal(await session.next(), "431[]");
}

export function slotOf(sid: string): number {
  return "ABCDEFGHIJKLMNOPQRSTUVWXYZ".indexOf(sid.charAt(2));
}

export async function pidOf(node: TestNode, slot: number): Promise<number> {
  const pid = (await node.workers()).find((worker) => worker.slot === slot)?.pid;
  assert.ok(pid !== undefined, `no worker ${slot}`);
  return pid;
}
