/** What must work between two nodes whatever kind of Redis joins them: each operation that crosses servers, once. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { arrivals, enter, join } from "../hub/fleet.js";
import { root } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import type { Post } from "./traffic.js";

const run = promisify(execFile);
let rooms = 0;

export interface Reach {
  /** As the nodes were given it. */
  readonly url: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Emits, requests, namespaces and membership between two nodes that have just been started, with nobody else on their Redis. */
export async function assertEverythingCrosses(
  [one, two]: readonly [Post, Post],
  { url, env = {} }: Reach,
): Promise<void> {
  const [a, b] = [one.member, two.member];
  const room = `kinds ${++rooms}`;
  await join(room, a, b);
  for (const { received } of [a, b]) received.length = 0;
  for (const from of [a, b]) {
    await from.run(({ io }, to) => void io.to(to).emit("hello", 1), room);
    assert.deepEqual(await arrivals(from, [a, b]), [[["hello", 1]], [["hello", 1]]]);
  }

  // Who answers is known once both have subscribed.
  await waitFor(async () => (await a.run(({ io }) => io.fetchSockets().then((found) => found.length))) === 2);
  const found = await b.run(
    ({ io }, to) =>
      io
        .in(to)
        .fetchSockets()
        .then((sockets) => sockets.map(({ id }) => id)),
    room,
  );
  assert.deepEqual([...found].sort(), [a.id, b.id].sort());
  const answers = await a.run(({ io }, to) => io.to(to).timeout(5_000).emitWithAck("ask"), room);
  assert.deepEqual([...(answers as number[])].sort(), [a.worker, b.worker].sort());
  const others = await b.run(({ io }) => io.serverSideEmitWithAck("who", "x"));
  assert.deepEqual(others, [{ worker: a.worker, args: ["x"] }]);

  const nsp = `/dynamic-kinds${rooms}`;
  const [insideA, insideB] = await Promise.all([enter(a, nsp), enter(b, nsp)]);
  await insideB.run(({ socket }) => void socket.nsp.emit("hello", 2));
  assert.deepEqual(await arrivals(insideB, [insideA, insideB]), [[["hello", 2]], [["hello", 2]]]);

  await waitFor(
    async () => {
      const { stdout } = await run(process.execPath, [path.join(root, "dist/cli/main.js"), "nodes", "--redis", url], {
        env: { ...process.env, ...env },
      });
      return [one, two].every(({ node }) => stdout.includes(`:${node.port}`));
    },
    { intervalMs: 200, message: "both nodes in the list of nodes" },
  );
}
