import assert from "node:assert/strict";
import test, { after } from "node:test";
import { PollingSession } from "../support/engine-client.js";
import { startNode } from "../support/node.js";
import { RawConnection, requestBytes } from "../support/raw-http.js";
import { allRead } from "./kernel.js";

const node = await startNode({ app: "test/front/app.ts", workers: 2 }, { after });
const { port } = node;

const headers = { "Content-Type": "text/plain;charset=UTF-8" };
/** 900 kB in UTF-8; the one byte in front puts a character across the border of every chunk whose size is even. */
const EMOJI = `x${"😀".repeat(225_000)}`;

async function joined(t: test.TestContext): Promise<PollingSession> {
  const session = await PollingSession.open(t, { port });
  await session.joinMain();
  return session;
}

async function polled(session: PollingSession): Promise<string> {
  const packets: string[] = [];
  for (;;) {
    packets.push(...(await session.poll()).filter((packet) => packet !== "2" && packet !== "6"));
    if (packets.length > 0) return packets.join();
  }
}

test("900 kB of emoji come back by polling as they were, from several clients at once", async (t) => {
  await Promise.all(
    Array.from({ length: 6 }, async (_, i) => {
      const session = await joined(t);
      for (let round = 0; round < 3; round++) {
        await session.post(`42${round}["echo","${i}${EMOJI}"]`);
        const answer = await polled(session);
        assert.ok(answer === `43${round}["${i}${EMOJI}"]`, `${answer.length} characters came back, and not those sent`);
      }
    }),
  );
});

test("a body of emoji cut in two anywhere, also inside a character, comes back as it was", async (t) => {
  const session = await joined(t);
  const bytes = requestBytes({ target: session.target, headers, body: `420["echo","${EMOJI}"]` });
  const bodyStart = bytes.indexOf("\r\n\r\n") + 4;
  const offsets = [0, 1, 12, 13, 14, 15, 16, 17, 18, 65_533, 65_536, 65_537, 450_003, 900_010].map(
    (at) => bodyStart + at,
  );
  for (const [i, offset] of offsets.entries()) {
    // The first on the connection's first request, the others on a connection that is the worker's already.
    const connection = i % 2 === 0 ? await RawConnection.open(t, port) : session.pollConnection;
    await connection.write(bytes.subarray(0, offset));
    await allRead([connection]);
    await connection.write(bytes.subarray(offset));
    assert.equal((await connection.readResponse()).text, "ok", `cut at byte ${offset}`);
    assert.ok((await polled(session)) === `430["${EMOJI}"]`, `cut at byte ${offset}`);
  }
});

test("requests in a row without waiting for answers are answered in order, each once", async (t) => {
  const connection = await RawConnection.open(t, port);
  const requests = Array.from({ length: 50 }, (_, i) => requestBytes({ target: `/${i}`, body: "b".repeat(i * 100) }));
  await connection.write(Buffer.concat(requests));
  const workers = new Set<number>();
  for (let i = 0; i < requests.length; i++) {
    const { status, text } = await connection.readResponse();
    const answer = JSON.parse(text) as { path: string; bytes: number; worker: number };
    assert.deepEqual([status, answer.path, answer.bytes], [200, `/${i}`, i * 100]);
    workers.add(answer.worker);
  }
  assert.equal(workers.size, 1);
  assert.equal(connection.received.length, 0);
});

test("requests in a row for sessions of two workers are answered in order", async (t) => {
  const sessions = await Promise.all(Array.from({ length: 8 }, () => PollingSession.open(t, { port })));
  assert.equal(new Set(sessions.map(({ sid }) => sid.charAt(2))).size, 2);
  const connection = await RawConnection.open(t, port);
  await connection.write(Buffer.concat(sessions.map(({ target }) => requestBytes({ target, headers, body: "40" }))));
  for (let i = 0; i < sessions.length; i++) assert.equal((await connection.readResponse()).text, "ok");
  for (const session of sessions) assert.match((await session.poll())[0] ?? "", /^40\{/);
});

test("bodies in chunks of any size arrive whole, also where they are forwarded to another worker", async (t) => {
  for (const session of [await joined(t), await joined(t)]) {
    // One connection for both workers: one of the two is forwarded.
    const connection = await RawConnection.open(t, port);
    await connection.request({ target: "/first" });
    const body = Buffer.from(`420["echo","${"ü😀".repeat(5_000)}"]`);
    await connection.write(
      `POST ${session.target} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain;charset=UTF-8\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    for (let at = 0; at < body.length; at += 777) {
      const chunk = body.subarray(at, at + 777);
      await connection.write(
        Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]),
      );
    }
    await connection.write("0\r\n\r\n");
    assert.equal((await connection.readResponse()).text, "ok");
    assert.ok((await polled(session)) === `430["${"ü😀".repeat(5_000)}"]`);
  }
});
