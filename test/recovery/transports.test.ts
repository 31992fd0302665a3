/** Recovery over each transport: what a client had is there again, and what it missed comes once, in order. */
import assert from "node:assert/strict";
import { once } from "node:events";
import test, { before } from "node:test";
import { APP, arrivals, fileScope, type ClientOptions, type Member } from "../hub/fleet.js";
import { startNode, type TestNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";
import { comeBack, leave, publisherOn, visitor, withoutClaims } from "./returning.js";

const scope = fileScope();
let node: TestNode;
let publishers: Member[];

before(async () => {
  node = await startNode({ app: APP, args: ["--recovery"] }, scope);
  publishers = [await publisherOn(scope, node.url, 0), await publisherOn(scope, node.url, 1)];
});

const WAYS: { name: string; options: ClientOptions; upgrades: boolean }[] = [
  { name: "WebSocket", options: { transports: ["websocket"] }, upgrades: false },
  { name: "polling", options: { transports: ["polling"] }, upgrades: false },
  { name: "polling that upgrades", options: { transports: ["polling", "websocket"] }, upgrades: true },
];

async function upgraded({ client }: Member): Promise<void> {
  if (client.io.engine.transport.name !== "websocket") await once(client.io.engine as never, "upgrade");
}

async function sayAll(room: string, base: number): Promise<void> {
  for (const [at, publisher] of publishers.entries()) {
    await publisher.run(
      ({ io }, to, n) => {
        io.to(to).emit("n", n);
        io.to(to).emit("binary", Buffer.from([n]), { deep: [Buffer.from([n + 1])] });
        io.to("another room").emit("n", "not for it");
        io.to(to).except(to).emit("n", "for nobody");
        io.to(to).emit("text", n, "a string at the end");
      },
      room,
      base + 10 * at,
    );
  }
}

/** What each publisher said, in order: between two of them there is none. */
const said = (...bases: number[]): [string, ...unknown[]][][] =>
  [0, 10].map((offset) =>
    bases.flatMap((base): [string, ...unknown[]][] => [
      ["n", base + offset],
      ["binary", Buffer.from([base + offset]), { deep: [Buffer.from([base + offset + 1])] }],
      ["text", base + offset, "a string at the end"],
    ]),
  );

const byPublisher = (events: readonly [string, ...unknown[]][]): [string, ...unknown[]][][] =>
  [0, 10].map((offset) =>
    withoutClaims(events).filter(([, n]) => Number(Buffer.isBuffer(n) ? n[0] : n) % 50 === offset),
  );

for (const { name, options, upgrades } of WAYS) {
  test(`over ${name}: id, rooms and data come back, and what was missed, text and binary`, async () => {
    const room = `room over ${name}`;
    const member = await visitor(scope, node.url, options);
    if (upgrades) await upgraded(member);
    await member.run(({ socket }, to) => {
      socket.data = { ...socket.data, since: new Date(86_400_000), tags: new Set(["a"]), name: "Ada" };
      return socket.join([to, "second"]);
    }, room);
    await sayAll(room, 0);
    await waitFor(() => member.received.length === said(0).flat().length);
    assert.deepEqual(byPublisher(member.received.splice(0)), said(0));
    const before = member.client.id;

    await leave(member);
    await sayAll(room, 50);
    assert.equal(await comeBack(member), true);
    if (upgrades) await upgraded(member);
    await sayAll(room, 100);
    const expected = said(50, 100);
    await waitFor(() => member.received.length >= expected.flat().length);
    const [inTheEnd] = await arrivals(publishers[0] as Member, [member]);
    assert.deepEqual(byPublisher(inTheEnd ?? []), expected);
    assert.equal(inTheEnd?.length, expected.flat().length);
    assert.equal(member.client.id, before);
    const now = await member.run(({ socket }) => ({
      recovered: socket.recovered,
      rooms: [...socket.rooms].sort(),
      since: (socket.data as { since: Date }).since.getTime(),
      tags: [...(socket.data as { tags: Set<string> }).tags],
    }));
    assert.deepEqual(now, {
      recovered: true,
      rooms: [String(before), room, "second"].sort(),
      since: 86_400_000,
      tags: ["a"],
    });
  });
}

test("a connection that breaks in the middle of its upgrade is recovered too", async () => {
  for (let attempt = 0; attempt < 5; attempt++) {
    const member = await visitor(scope, node.url, { transports: ["polling", "websocket"] });
    const room = `upgrade ${attempt}`;
    await member.run(({ socket }, to) => socket.join(to), room);
    const upgrading = once(member.client.io.engine as never, "upgrading");
    if (member.client.io.engine.transport.name === "polling") await upgrading;
    await sayAll(room, 0);
    const seen = member.received.length;
    await leave(member);
    await sayAll(room, 50);
    assert.equal(await comeBack(member), true);
    const expected = said(0, 50);
    await waitFor(() => member.received.length >= expected.flat().length, {
      message: () => `${seen}, ${member.received.length}`,
    });
    const [all] = await arrivals(publishers[0] as Member, [member]);
    assert.deepEqual(byPublisher(all ?? []), expected);
    assert.equal(all?.length, expected.flat().length);
    member.client.disconnect();
  }
});
