/** Whose address the owner sees for a request that another worker or another node has forwarded: the client's, and nobody can make one up. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import test, { type TestContext } from "node:test";
import { engineTarget, PollingSession, WebSocketSession } from "../support/engine-client.js";
import { startNode, type LogLine, type TestNode } from "../support/node.js";
import { RawConnection } from "../support/raw-http.js";
import { SECRET, startFleet, stray, TEXT, type Fleet } from "./fleet.js";

/** All of 127.0.0.0/8 is this machine's own. */
const CLIENT = "127.0.0.2";
const OTHER = "127.0.0.3";
const NODE = "127.0.0.1";
const OWN_HEADERS = ["x-limpet-forwarded", "x-limpet-client-address", "x-limpet-proof"];

async function connectionFrom(t: TestContext, localAddress: string, { port }: TestNode): Promise<RawConnection> {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  t.after(() => void socket.destroy());
  await once(socket, "connect");
  return new RawConnection(socket);
}

interface Seen extends LogLine {
  readonly remoteAddress: string;
  readonly via?: string;
  readonly names: readonly string[];
}

let marks = 0;
/** What the owner sees of a POST. */
async function seenBy(
  owner: TestNode,
  connection: RawConnection,
  session: PollingSession,
  headers: Readonly<Record<string, string>> = {},
): Promise<Seen> {
  const mark = `mark ${++marks}`;
  const request = { target: session.target, headers: { ...TEXT, ...headers, "X-Mark": mark }, body: "3" };
  assert.equal((await connection.request(request)).text, "ok");
  return (await owner.waitForLog((line) => line["mark"] === mark)) as Seen;
}

const leftOver = ({ names }: Seen): string[] => names.filter((name) => OWN_HEADERS.includes(name));

test("between the workers of a node", async (t) => {
  const node = await startNode({ app: "test/rescue/app.ts", workers: 2 }, t);
  const sessions = await Promise.all(
    [CLIENT, OTHER].map(async (from) => {
      const pollConnection = await connectionFrom(t, from, node);
      return PollingSession.open(t, { port: node.port, pollConnection });
    }),
  );
  for (const session of sessions) await session.joinMain();
  for (const from of [CLIENT, OTHER, CLIENT]) {
    const connection = await connectionFrom(t, from, node);
    for (const session of sessions) {
      const seen = await seenBy(node, connection, session, { "X-Limpet-Client-Address": "8.8.8.8" });
      assert.deepEqual([seen.remoteAddress, seen.via], [from, undefined]);
    }
  }
  assert.ok((await node.metric("limpet_rescues_total", { target: "worker", outcome: "forwarded" })) >= 3);
});

test("between nodes that share a secret the request looks as it did where it came in", async (t) => {
  const { a, b } = await startFleet(t);
  const { session } = await stray(t, a, b);
  for (const from of [CLIENT, OTHER, CLIENT]) {
    const connection = await connectionFrom(t, from, b);
    const seen = await seenBy(a, connection, session);
    assert.deepEqual(
      [seen.remoteAddress, seen["remoteFamily"], seen.via, seen["distinct"]],
      [from, "IPv4", undefined, undefined],
    );
    assert.deepEqual(leftOver(seen), []);
    const behindProxy = await seenBy(a, connection, session, { "X-Forwarded-For": "203.0.113.7, 10.0.0.1" });
    assert.deepEqual([behindProxy.remoteAddress, behindProxy.via], [from, "203.0.113.7, 10.0.0.1"]);
    assert.deepEqual(behindProxy["distinct"], ["203.0.113.7, 10.0.0.1"]);
  }
  // Straight to the owner, after all that.
  assert.equal((await seenBy(a, await connectionFrom(t, OTHER, a), session)).remoteAddress, OTHER);
});

test("an upgrade shows it, too, and the session keeps the address of its handshake", async (t) => {
  const { a, b } = await startFleet(t);
  const pollConnection = await connectionFrom(t, OTHER, a);
  const session = await PollingSession.open(t, { port: a.port, pollConnection });
  await session.joinMain();
  const { socket } = await connectionFrom(t, CLIENT, b);
  const headers = { "X-Mark": "upgrade" };
  const upgraded = await WebSocketSession.attach(t, { port: b.port, headers }, session.handshake, socket);
  const seen = (await a.waitForLog(({ mark }) => mark === "upgrade")) as Seen;
  assert.deepEqual([seen.remoteAddress, seen.via, leftOver(seen)], [CLIENT, undefined, []]);
  upgraded.send("2probe");
  assert.equal(await upgraded.next(), "3probe");
  assert.deepEqual(await session.poll(), ["6"]);
  upgraded.send("5");
  upgraded.send('420["address"]');
  assert.equal(await upgraded.next(), `430["${OTHER}"]`);
});

test("without a secret a node is a proxy like any other: the owner sees its address, and the client's in X-Forwarded-For", async (t) => {
  const { a, b } = await startFleet(t, { secret: null });
  const { session } = await stray(t, a, b);
  const connection = await connectionFrom(t, CLIENT, b);
  const seen = await seenBy(a, connection, session);
  assert.deepEqual([seen.remoteAddress, seen.via], [NODE, CLIENT]);
  const behindProxy = await seenBy(a, connection, session, { "X-Forwarded-For": "203.0.113.7" });
  assert.deepEqual([behindProxy.remoteAddress, behindProxy.via], [NODE, `203.0.113.7, ${CLIENT}`]);
});

/** The headers by which a node proves that it has forwarded a request. */
function forged(secret: string, method: string, target: string, client: string): Record<string, string> {
  const proof = createHmac("sha256", secret).update(`${method} ${target}\n9\n${client}`).digest("hex");
  return { "X-Limpet-Forwarded": "9", "X-Limpet-Client-Address": client, "X-Limpet-Proof": proof };
}

async function lastAddress(
  { a, b }: Fleet,
  t: TestContext,
  headers: (target: string) => Record<string, string>,
): Promise<string> {
  const { session } = await stray(t, a, b);
  return (await seenBy(a, await connectionFrom(t, CLIENT, a), session, headers(session.target))).remoteAddress;
}

test("nobody without the secret can make up an address, and what is proven for one request serves no other", async (t) => {
  const fleet = await startFleet(t);
  const made = "203.0.113.9";
  assert.equal(
    await lastAddress(fleet, t, (target) => forged(SECRET, "POST", target, made)),
    made,
    "the test forges rightly",
  );
  const attempts: Record<string, (target: string) => Record<string, string>> = {
    "no proof": () => ({ "X-Limpet-Forwarded": "9", "X-Limpet-Client-Address": made }),
    "an empty proof": (target) => ({ ...forged(SECRET, "POST", target, made), "X-Limpet-Proof": "" }),
    "another secret": (target) => forged(`${SECRET}!`, "POST", target, made),
    "the proof of another method": (target) => forged(SECRET, "GET", target, made),
    "the proof of another session": () => forged(SECRET, "POST", engineTarget({}, "polling", "x".repeat(20)), made),
    "the proof of another address": (target) => ({
      ...forged(SECRET, "POST", target, "203.0.113.8"),
      "X-Limpet-Client-Address": made,
    }),
    "no address at all": (target) => forged(SECRET, "POST", target, "not an address"),
  };
  for (const [what, headers] of Object.entries(attempts))
    assert.equal(await lastAddress(fleet, t, headers), CLIENT, what);
  const open = await startFleet(t, { secret: null });
  assert.equal(
    await lastAddress(open, t, (target) => forged("", "POST", target, made)),
    CLIENT,
    "no secret, no belief",
  );
});

test("a request that proves nothing does not show the address of the one before it on its connection", async (t) => {
  const { a, b } = await startFleet(t);
  const { session } = await stray(t, a, b);
  const connection = await connectionFrom(t, CLIENT, a);
  const proven = forged(SECRET, "POST", session.target, "203.0.113.9");
  assert.equal((await seenBy(a, connection, session, proven)).remoteAddress, "203.0.113.9");
  assert.equal((await seenBy(a, connection, session)).remoteAddress, CLIENT);
});
