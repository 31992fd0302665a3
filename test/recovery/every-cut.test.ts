/** A client in two rooms, publishers on two workers, and a connection that breaks behind each message that comes: nothing is missed, nothing comes twice. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import test from "node:test";
import { startNode } from "../support/node.js";
import { RawClient } from "./raw-client.js";

const MESSAGES = 120;
const ROOMS = ["a", "b"];

for (const [pace, pauseMs] of [
  ["all at once, so that it is cut in the middle of what it missed", () => 0],
  ["one by one, so that it is cut behind what comes as it is said", () => Math.random() * 60],
] as const) {
  test(`cut at every message, said ${pace}`, async (t) => {
    const node = await startNode({ app: "test/recovery/app.ts", workers: 2, args: ["--recovery"] }, t);
    const publishers = [0, 1].map(() => new RawClient(t, { port: node.port }));
    for (const [slot, publisher] of publishers.entries()) await publisher.connect({ slot });
    const client = new RawClient(t, { port: node.port });
    await client.connect({ slot: 0 });
    const { id } = client;
    for (const room of ROOMS) await client.call("join", room);

    const publishing = publishers.map(async (publisher, who) => {
      for (let n = 0; n < MESSAGES; n++) {
        const room = ROOMS[n % 2] ?? "";
        // Some for both rooms' members at once, some for the client alone.
        await publisher.call("publish", n % 7 === 0 ? id : room, [{ who, n }]);
        await delay(pauseMs());
      }
    });
    let connections = 0;
    /** Where each message came, and what the client's offset was then. */
    const trail: string[] = [];
    while (client.received.length < MESSAGES * publishers.length) {
      const before = client.received.length;
      client.cut();
      await client.connect({ slot: connections++ % 2, stopAt: (count) => count > before });
      assert.equal(client.recovered, true, `connection ${connections}`);
      await client.count(before + 1);
      for (const [, , value] of client.received.slice(before))
        trail.push(`${connections} at ${client.offset}: ${JSON.stringify(value)}`);
    }
    await Promise.all(publishing);
    client.cut();
    await client.connect();
    await publishers[0]?.call("publish", "a", ["last"]);
    await client.until(() => client.received.at(-1)?.[2] === "last");

    const values = client.received.slice(0, -1).map(([, , value]) => value as { who: number; n: number });
    for (const who of [0, 1]) {
      const order = values.filter((value) => value.who === who).map(({ n }) => n);
      const expected = [...Array(MESSAGES).keys()];
      assert.deepEqual(order, expected, `what publisher ${who} said, once and in order:\n${trail.join("\n")}`);
    }
    t.diagnostic(`${values.length} messages over ${connections} connections`);
  });
}
