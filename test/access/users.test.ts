import assert from "node:assert/strict";
import test from "node:test";
import { io, type Socket } from "socket.io-client";
import type { Scope } from "../support/children.js";
import { startNode, type TestNode } from "../support/node.js";
import { startRedis } from "../support/redis.js";
import { within } from "../support/wait.js";
import { APP } from "./handshakes.js";

interface Refusal extends Error {
  readonly data: { readonly code: string; readonly retryAfterMs: number };
}

const env = { LIMPET_ACCESS_USER_CONNECTS_PER_MINUTE: "3" };

/** @returns undefined where the user was let in */
function connectAs(scope: Scope, node: TestNode, user: string): Promise<Refusal | undefined> {
  const socket: Socket = io(node.url, {
    auth: { user },
    reconnection: false,
    forceNew: true,
    transports: ["websocket"],
  });
  scope.after(() => void socket.close());
  const settled = new Promise<Refusal | undefined>((resolve) => {
    socket.once("connect", () => resolve(undefined));
    socket.once("connect_error", (error) => resolve(error as Refusal));
  });
  return within(settled, 20_000, "the connect or its refusal");
}

test("a user who connects too often is told so, by code and by time, over all workers of a node", async (t) => {
  const node = await startNode({ app: APP, workers: 3, env }, t);
  for (let i = 0; i < 3; i++) assert.equal(await connectAs(t, node, "ada"), undefined);
  const refused = await connectAs(t, node, "ada");
  assert.match(refused?.message ?? "", /Too many connects/);
  assert.equal(refused?.data.code, "user_rate");
  assert.ok(refused.data.retryAfterMs > 0 && refused.data.retryAfterMs <= 60_000, String(refused.data.retryAfterMs));
  assert.equal(await connectAs(t, node, "bob"), undefined);
  assert.equal(await node.metric("limpet_entry_refusals_total", { reason: "user_rate" }), 1);
});

test("the nodes of a fleet count a user together; when Redis is away he still gets in", async (t) => {
  const redis = await startRedis(t);
  const args = ["--redis", redis.url];
  const nodes = await Promise.all([startNode({ app: APP, env, args }, t), startNode({ app: APP, env, args }, t)]);
  const [first, second] = nodes;
  assert.ok(first !== undefined && second !== undefined);
  for (const node of [first, second, first]) assert.equal(await connectAs(t, node, "ada"), undefined);
  for (const node of nodes) assert.equal((await connectAs(t, node, "ada"))?.data.code, "user_rate");
  await redis.kill();
  for (const node of nodes) assert.equal(await connectAs(t, node, "bob"), undefined);
  await first.waitForLog(({ msg }) => msg.startsWith("limits per user: Redis cannot be asked"));
});

test("without a limit nobody is asked, and without a name the app is told of its mistake", async (t) => {
  const node = await startNode({ app: APP, workers: 1 }, t);
  for (let i = 0; i < 10; i++) assert.equal(await connectAs(t, node, "ada"), undefined);
  assert.match((await connectAs(t, node, ""))?.message ?? "", /takes the user's name/);
});
