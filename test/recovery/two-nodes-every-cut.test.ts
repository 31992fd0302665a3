/**
 * A client in two rooms, publishers on two nodes, a slow Redis, so that what a node says to its own clients is far ahead of the stream, and a connection
 * that breaks behind each message that comes, to be made anew at the other node: nothing is missed, nothing comes twice.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import test from "node:test";
import { connected, numbers, startPair } from "./pair.js";

const MESSAGES = 80;
const ROOMS = ["red", "blue"];

for (const { pace, pauseMs, lateMs } of [
  { pace: "all at once, so that it is cut in the middle of what it missed", pauseMs: 0, lateMs: 0 },
  { pace: "one by one, so that it is cut behind what comes as it is said", pauseMs: 60, lateMs: 0 },
  { pace: "one by one, each node far ahead of a slow Redis", pauseMs: 120, lateMs: 40 },
]) {
  test(`cut at every message, at one node and the other in turn, said ${pace}`, async (t) => {
    const { a, b } = await startPair(t);
    const nodes = [a, b];
    const publishers = await Promise.all(nodes.map((node) => connected(t, node, 1)));
    const client = await connected(t, a);
    for (const room of ROOMS) await client.call("join", room);
    const id = client.id ?? "";
    for (const { network } of nodes) network.delay(lateMs);

    const publishing = publishers.map(async (publisher, who) => {
      for (let n = 0; n < MESSAGES; n++) {
        const room = n % 7 === 0 ? id : ROOMS[n % 2];
        await publisher.call("publish", room, [{ who, n }]);
        await delay(Math.random() * pauseMs);
      }
    });
    let connections = 0;
    /** Where each message came, and what the client's offset was then. */
    const trail: string[] = [];
    while (client.received.length < MESSAGES * publishers.length) {
      const before = client.received.length;
      client.cut();
      connections++;
      const { port } = nodes[connections % 2] ?? a;
      await client.connect({ port, slot: (connections >> 1) % 2, stopAt: (count) => count > before });
      assert.equal(client.recovered, true, `connection ${connections}`);
      await client.count(before + 1);
      for (const [, , value] of client.received.slice(before))
        trail.push(
          `${connections} at ${port === a.port ? "a" : "b"}${(connections >> 1) % 2}: ${JSON.stringify(value)} ${client.offset}`,
        );
    }
    await Promise.all(publishing);
    client.cut();
    await client.connect({ port: b.port });
    await publishers[0]?.call("publish", "red", ["last"]);
    await client.until(() => client.received.at(-1)?.[2] === "last");

    const values = client.received.slice(0, -1).map(([, , value]) => value as { who: number; n: number });
    for (const who of [0, 1]) {
      const order = values.filter((value) => value.who === who).map(({ n }) => n);
      assert.deepEqual(
        order,
        numbers(0, MESSAGES),
        `what publisher ${who} said, once and in order:\n${trail.join("\n")}`,
      );
    }
    assert.equal(client.id, id);
    t.diagnostic(`${values.length} messages over ${connections} connections`);
  });
}
