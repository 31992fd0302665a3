/** Rescued requests and WebSockets when the owner ends, or the client is slow: nothing hangs, nothing is cut off, no byte is changed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import { engineTarget, WebSocketSession, type PollingSession } from "../support/engine-client.js";
import { startNode, type TestNode } from "../support/node.js";
import { RawConnection, requestBytes, type RawRequest } from "../support/raw-http.js";
import { waitFor, within } from "../support/wait.js";
import { sessionOnEach } from "./sessions.js";

const APP = "test/front/rescue-app.ts";
const headers = { "Content-Type": "text/plain;charset=UTF-8" };
const PIECE_BYTES = 8_000;
const MAX_PIECES = 4_000;
const NOTE = Buffer.from("g\xfc\xe9\xff \x80\xa0".concat("\xc3\xbc"), "latin1");

interface Stray {
  readonly node: TestNode;
  readonly zero: PollingSession;
  readonly one: PollingSession;
  /** A keep-alive connection of worker 0's, which holds session zero and not session one. */
  readonly connection: RawConnection;
}

async function start(t: TestContext): Promise<Stray> {
  const node = await startNode({ app: APP }, t);
  const [zero, one] = await sessionOnEach(t, { port: node.port });
  assert.ok(zero !== undefined && one !== undefined);
  for (const session of [zero, one]) await session.joinMain();
  const connection = await RawConnection.open(t, node.port);
  await connection.request({ target: zero.target, headers, body: "3" });
  return { node, zero, one, connection };
}

const forwarded = (node: TestNode): Promise<number> =>
  node.metric("limpet_rescues_total", { target: "worker", outcome: "forwarded" });

/** With one header more, whose bytes are no UTF-8. */
function withNote(request: RawRequest): Buffer {
  const bytes = requestBytes({ ...request, headers: { ...request.headers, "X-Note": NOTE.toString("latin1") } });
  return Buffer.from(bytes.toString(), "latin1");
}

/** Kills the owner of session one while nobody can tell the others: the primary stands still until it is killed with the test. */
async function killUnnoticed(node: TestNode): Promise<void> {
  const pid = (await node.workers()).find(({ slot }) => slot === 1)?.pid;
  assert.ok(pid !== undefined);
  node.signal("SIGSTOP");
  process.kill(pid, "SIGKILL");
}

for (const [how, pieces] of [
  ["comes at once", 1],
  ["comes in pieces", 20],
] as const) {
  test(`a rescued POST of 900 kB that ${how} and whose owner cannot be reached is answered 503, and the connection goes on`, async (t) => {
    const { node, zero, one, connection } = await start(t);
    await killUnnoticed(node);
    const bytes = requestBytes({ target: one.target, headers, body: `4${"x".repeat(899_999)}` });
    const pieceBytes = Math.ceil(bytes.length / pieces);
    const written = connection.writePieces(
      Array.from({ length: pieces }, (_, n) => bytes.subarray(n * pieceBytes, (n + 1) * pieceBytes)),
    );
    assert.equal((await connection.readResponse({ timeoutMs: 5_000 })).status, 503);
    await within(written, 5_000, "the body to be taken");
    for (let n = 0; n < 3; n++) {
      const next = await connection.request({ target: zero.target, headers, body: `42${n}["echo",${n}]` }, 5_000);
      assert.deepEqual([next.status, next.text], [200, "ok"]);
      assert.equal((await connection.request({ target: zero.target }, 5_000)).text, `43${n}[${n}]`);
    }
  });
}

test("a request that was sent behind such a POST without waiting is answered", async (t) => {
  const { node, zero, one, connection } = await start(t);
  await killUnnoticed(node);
  const post = requestBytes({ target: one.target, headers, body: `4${"x".repeat(899_999)}` });
  const next = requestBytes({ target: zero.target, headers, body: "3" });
  const written = connection.write(Buffer.concat([post, next]));
  assert.equal((await connection.readResponse({ timeoutMs: 5_000 })).status, 503);
  assert.equal((await connection.readResponse({ timeoutMs: 5_000 })).text, "ok");
  await within(written, 5_000, "all bytes to be taken");
});

/** Session one moves to WebSocket, over the connection of the other worker. */
async function upgradeStray({ node, one, connection }: Stray, t: TestContext): Promise<WebSocketSession> {
  const before = await forwarded(node);
  const session = await WebSocketSession.attach(t, { port: node.port }, one.handshake, connection.socket);
  assert.equal(await forwarded(node), before + 1, "it was forwarded");
  session.send("2probe");
  assert.equal(await session.next(), "3probe");
  assert.deepEqual(await one.poll(), ["6"]);
  session.send("5");
  return session;
}

test("what the forwarding worker still holds when the owner has ended in order reaches a client that reads later", async (t) => {
  const stray = await start(t);
  const { node, zero, one, connection } = stray;
  const [, helper] = await sessionOnEach(t, { port: node.port });
  assert.ok(helper !== undefined);
  await helper.joinMain();
  const session = await upgradeStray(stray, t);
  session.send('420["id"]');
  const id = (JSON.parse(String(await session.next()).slice(3)) as [string])[0];
  const port = connection.socket.localPort;
  assert.ok(port !== undefined);
  session.socket.pause();

  const call = async (asked: PollingSession, event: string, ...args: unknown[]): Promise<number[]> => {
    await asked.post(`420${JSON.stringify([event, ...args])}`);
    return JSON.parse((await asked.poll()).join("").slice(3)) as number[];
  };
  const [writtenBefore = 0] = await call(zero, "look at", port);
  // Until the kernel takes no more, and a part of one piece is left in the worker: not more, or it would stop reading from the owner.
  let pieces = 0;
  let heldBytes = 0;
  while (heldBytes === 0) {
    assert.ok(pieces < MAX_PIECES, "the connection takes no end of bytes");
    await call(helper, "send piece", id, PIECE_BYTES);
    pieces++;
    const wanted = writtenBefore + pieces * PIECE_BYTES;
    const seen = async (): Promise<boolean> => {
      const [written = 0, pending = 0] = await call(zero, "look at", port);
      heldBytes = pending;
      return written >= wanted;
    };
    await waitFor(seen, { intervalMs: 0, message: "the piece to be forwarded" });
  }
  t.diagnostic(`${pieces} pieces of ${PIECE_BYTES} bytes sent, ${heldBytes} bytes of them with the forwarding worker`);

  const closed = once(session.socket, "close");
  // The owner answers this with its own close frame, behind all it has sent, and then ends the connection.
  session.socket.close();
  await node.waitForLog(({ msg, sid }) => msg === "session closed" && sid === one.sid);
  session.socket.resume();
  const [code] = (await within(closed, 20_000, "the end of the connection")) as [number];
  assert.equal(code, 1005, "the owner's close frame came too");
  for (let n = 0; n < pieces; n++) {
    const packet = String(await session.next());
    assert.equal(packet.length, `42["piece",""]`.length + PIECE_BYTES);
  }
});

test("header bytes above 0x7f of a rescued request and of a rescued upgrade arrive as they were", async (t) => {
  const { node, one, connection } = await start(t);
  const before = await forwarded(node);
  await connection.write(withNote({ target: one.target, headers, body: "3" }));
  assert.equal((await connection.readResponse()).text, "ok");
  await connection.write(
    withNote({
      target: engineTarget({}, "websocket", one.sid),
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": Buffer.alloc(16).toString("base64"),
      },
    }),
  );
  assert.equal((await connection.readResponse()).status, 101);
  assert.equal(await forwarded(node), before + 2, "both were forwarded");
  const seen = async (fits: { method: string; upgrade: string }): Promise<unknown> =>
    (
      await node.waitForLog(
        ({ msg, method, upgrade }) => msg === "x-note" && method === fits.method && upgrade === fits.upgrade,
      )
    )["hex"];
  assert.equal(await seen({ method: "POST", upgrade: "" }), NOTE.toString("hex"));
  assert.equal(await seen({ method: "GET", upgrade: "websocket" }), NOTE.toString("hex"));
});
