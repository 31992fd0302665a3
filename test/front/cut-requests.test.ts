import assert from "node:assert/strict";
import test, { after } from "node:test";
import { PollingSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { RawConnection, requestBytes } from "../support/raw-http.js";
import { allRead } from "./kernel.js";

const node = await startNode({ app: "test/front/app.ts", workers: 2 }, { after });

const AT_ONCE = 40;
const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";

/** Sends each request cut at its own offset, the second part only when the first one was read. */
async function sendCut(parts: readonly (readonly [RawConnection, Buffer, number])[]): Promise<void> {
  const connections = parts.map(([connection]) => connection);
  await Promise.all(parts.map(([connection, bytes, cut]) => connection.write(bytes.subarray(0, cut))));
  await allRead(connections);
  await Promise.all(parts.map(([connection, bytes, cut]) => connection.write(bytes.subarray(cut))));
}

async function forEachOffset(length: number, run: (offsets: readonly number[]) => Promise<void>): Promise<void> {
  const offsets = Array.from({ length: length - 1 }, (_, i) => i + 1);
  for (let i = 0; i < offsets.length; i += AT_ONCE) await run(offsets.slice(i, i + AT_ONCE));
}

test("a handshake cut at any byte is answered, and its session works", async (t) => {
  const bytes = requestBytes({ target: HANDSHAKE, headers: { "User-Agent": "cut", Accept: "*/*" } });
  await forEachOffset(bytes.length, async (offsets) => {
    const connections = await Promise.all(offsets.map(() => RawConnection.open(t, node.port)));
    await sendCut(connections.map((connection, i) => [connection, bytes, offsets[i] ?? 0]));
    for (const [i, connection] of connections.entries()) {
      const { status, text } = await connection.readResponse();
      assert.equal(status, 200, `cut at byte ${offsets[i]}`);
      assert.match(text, /^0\{"sid":"[\w-]{20}"/, `cut at byte ${offsets[i]}`);
      connection.close();
    }
  });
});

test("a POST cut at any byte, in the sid, in the headers, in the body, arrives whole at the session's worker", async (t) => {
  const before = await node.metrics();
  const bytesFor = (session: PollingSession): Buffer =>
    requestBytes({
      target: session.target,
      headers: { "Content-Type": "text/plain;charset=UTF-8" },
      body: '40{"name":"ü😀"}',
    });
  const template = bytesFor(await PollingSession.open(t, { port: node.port }));
  await forEachOffset(template.length, async (offsets) => {
    const sessions = await Promise.all(offsets.map(() => PollingSession.open(t, { port: node.port })));
    const connections = await Promise.all(offsets.map(() => RawConnection.open(t, node.port)));
    await sendCut(sessions.map((session, i) => [connections[i] as RawConnection, bytesFor(session), offsets[i] ?? 0]));
    for (const [i, session] of sessions.entries()) {
      const { status, text } = await (connections[i] as RawConnection).readResponse();
      assert.deepEqual([status, text], [200, "ok"], `cut at byte ${offsets[i]}`);
      assert.match((await session.poll())[0] ?? "", /^40\{"sid"/, `cut at byte ${offsets[i]}`);
      connections[i]?.close();
      session.pollConnection.close();
    }
  });
  const after = await node.metrics();
  assert.equal(
    after.sum("limpet_rescues_total") - before.sum("limpet_rescues_total"),
    0,
    "every one was routed by its request line, none had to be rescued",
  );
  t.diagnostic(`${template.length - 1} offsets, 0 errors, 0 rescues`);
});

test("a WebSocket handshake cut at any byte opens, and the first frame is not lost", async (t) => {
  const key = Buffer.from("0123456789abcdef").toString("base64");
  const bytes = requestBytes({
    target: "/socket.io/?EIO=4&transport=websocket",
    headers: { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key },
  });
  await forEachOffset(bytes.length, async (offsets) => {
    const connections = await Promise.all(offsets.map(() => RawConnection.open(t, node.port)));
    await sendCut(connections.map((connection, i) => [connection, bytes, offsets[i] ?? 0]));
    for (const [i, connection] of connections.entries()) {
      assert.equal((await connection.readResponse()).status, 101, `cut at byte ${offsets[i]}`);
      await connection.write(maskedText("40"));
      const [, length] = await connection.readBytes(2);
      // The open packet is shorter than 126 bytes.
      await connection.readBytes(length ?? 0);
      const [, joined] = await connection.readBytes(2);
      assert.match((await connection.readBytes(joined ?? 0)).toString(), /^40\{"sid"/, `cut at byte ${offsets[i]}`);
      connection.close();
    }
  });
});

test("a head that drips byte by byte over seconds is answered", async (t) => {
  const { target } = await PollingSession.open(t, { port: node.port });
  const bytes = requestBytes({ target, body: "40" });
  const connection = await RawConnection.open(t, node.port);
  await connection.writePieces(
    Array.from(bytes, (byte) => Buffer.of(byte)),
    15,
  );
  assert.deepEqual((({ status, text }) => [status, text])(await connection.readResponse()), [200, "ok"]);
});

/** A client's text frame of less than 126 bytes, masked with zeros. */
function maskedText(text: string): Buffer {
  return Buffer.concat([Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]);
}
