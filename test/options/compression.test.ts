import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { gunzipSync, inflateSync } from "node:zlib";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import type { Scope } from "../support/children.js";
import type { RawConnection, RawResponse } from "../support/raw-http.js";
import { waitFor, within } from "../support/wait.js";
import { compare, connectToSlot, handshake, seen, startWith, upgradeRequest, type Site } from "./sites.js";

const LARGE = 100_000;
const TEXT = "limpet ";

function decode({ headers, body }: RawResponse): string {
  const coding = headers["content-encoding"];
  if (coding === undefined) return body.toString();
  return (coding === "gzip" ? gunzipSync(body) : inflateSync(body)).toString();
}

/** Asks for an answer of some length by each coding. @returns for each the coding, and the bytes on the wire */
async function fetchAnswers(site: Site, repeats: number) {
  const { sid, target } = await handshake(site);
  const connection = await site.connect(sid);
  await connection.request({ target, body: "40" });
  await connection.request({ target });
  const answers = [];
  for (const codings of ["gzip, deflate, br", "deflate", "br", undefined]) {
    await connection.request({ target, body: `420["repeat","${TEXT}",${repeats}]` });
    const headers: Record<string, string> = codings === undefined ? {} : { "Accept-Encoding": codings };
    const response = await connection.request({ target, headers });
    assert.equal(decode(response), `430["${TEXT.repeat(repeats)}"]`);
    answers.push({ ...seen(response), text: "", bytes: response.body.length });
  }
  return answers;
}

const codingsOf = (answers: Awaited<ReturnType<typeof fetchAnswers>>): (string | undefined)[] =>
  answers.map(({ headers }) => headers["content-encoding"]);

test("long answers to polls are compressed as the client accepts it, short ones are not", async (t) => {
  const { long, short } = await compare(t, {}, async (site) => ({
    long: await fetchAnswers(site, LARGE / TEXT.length),
    short: await fetchAnswers(site, 100),
  }));
  assert.deepEqual(codingsOf(long), ["gzip", "deflate", undefined, undefined]);
  assert.deepEqual(codingsOf(short), [undefined, undefined, undefined, undefined]);
  const [gzipped] = long;
  assert.ok(gzipped !== undefined && gzipped.bytes < LARGE / 10);
});

test("the threshold and the level of compression are the configured ones", async (t) => {
  const answers = await compare(t, { httpCompression: { threshold: 100, level: 1 } }, (site) =>
    fetchAnswers(site, 100),
  );
  assert.deepEqual(codingsOf(answers), ["gzip", "deflate", undefined, undefined]);
});

test("without compression of answers none is compressed", async (t) => {
  const answers = await compare(t, { httpCompression: false }, (site) => fetchAnswers(site, LARGE / TEXT.length));
  assert.deepEqual(codingsOf(answers), [undefined, undefined, undefined, undefined]);
});

/** A WebSocket that offers compression, on a connection of the test's. */
class DeflatingSession {
  readonly #webSocket: WebSocket;
  readonly #connection: RawConnection;
  readonly #packets: string[] = [];

  private constructor(webSocket: WebSocket, connection: RawConnection) {
    this.#webSocket = webSocket;
    this.#connection = connection;
    webSocket.on("message", (data) => this.#packets.push((data as Buffer).toString()));
  }

  static async open(scope: Scope, port: number, target: string, connection: RawConnection): Promise<DeflatingSession> {
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}${target}`, {
      perMessageDeflate: true,
      createConnection: () => connection.socket,
    });
    scope.after(() => webSocket.terminate());
    const session = new DeflatingSession(webSocket, connection);
    await within(once(webSocket, "open"), 10_000, "the WebSocket to open");
    return session;
  }

  get extensions(): string {
    return this.#webSocket.extensions;
  }

  get bytesRead(): number {
    return this.#connection.socket.bytesRead;
  }

  get bytesWritten(): number {
    return this.#connection.socket.bytesWritten;
  }

  send(packet: string): void {
    this.#webSocket.send(packet);
  }

  async next(): Promise<string> {
    return String(await waitFor(() => this.#packets.shift(), { intervalMs: 2, message: "a packet" }));
  }
}

/** A text that zlib makes short, and that differs all along. */
const numbers = (count: number): string => Array.from({ length: count }, (_, i) => `line ${i}`).join(",");

test("messages over WebSocket are compressed both ways where that was agreed, whole, and small on the wire", async (t) => {
  const text = numbers(60_000);
  const { polled, ...answers } = await compare(t, { perMessageDeflate: true }, async (site) => {
    const { sid, target } = await handshake(site);
    const upgrade = target.replace("transport=polling", "transport=websocket");
    const session = await DeflatingSession.open(t, site.port, upgrade, await site.connect(sid));
    session.send("2probe");
    assert.equal(await session.next(), "3probe");
    session.send("5");
    session.send("40");
    assert.match(await session.next(), /^40\{"sid"/);
    const before = { read: session.bytesRead, written: session.bytesWritten };
    session.send(`421["echo","${text}"]`);
    assert.equal(await session.next(), `431["${text}"]`);
    const read = session.bytesRead - before.read;
    const written = session.bytesWritten - before.written;
    assert.ok(read < text.length / 3 && written < text.length / 3, `${read} and ${written} bytes of ${text.length}`);
    const offers = ["permessage-deflate", "permessage-deflate; client_no_context_takeover", "x-unknown", undefined];
    const agreed = [];
    for (const offer of offers) {
      const connection = await site.connect();
      const headers: Record<string, string> = offer === undefined ? {} : { "Sec-WebSocket-Extensions": offer };
      agreed.push(seen(await connection.request(upgradeRequest("/socket.io/?EIO=4&transport=websocket", headers))));
    }
    return { extensions: session.extensions, agreed, polled: await fetchAnswers(site, LARGE / TEXT.length) };
  });
  assert.equal(answers.extensions, "permessage-deflate");
  const extensions = answers.agreed.map(({ headers }) => headers["sec-websocket-extensions"]);
  assert.deepEqual(extensions, [
    "permessage-deflate",
    "permessage-deflate; client_no_context_takeover",
    undefined,
    undefined,
  ]);
  assert.deepEqual(codingsOf(polled), ["gzip", "deflate", undefined, undefined]);
});

test("a broadcast is whole for every client on every worker, with compression and without", async (t) => {
  const node = await startWith(t, { perMessageDeflate: { threshold: 0 } });
  const text = numbers(30_000);
  const open = async (slot: number): Promise<DeflatingSession> => {
    // The worker of that connection takes the new session.
    const connection = await connectToSlot(t, node, slot);
    const session = await DeflatingSession.open(t, node.port, "/socket.io/?EIO=4&transport=websocket", connection);
    await session.next();
    session.send("40");
    await session.next();
    session.send('420["join","room"]');
    assert.equal(await session.next(), "430[]");
    session.send('421["who"]');
    assert.equal(await session.next(), `431[${slot}]`);
    return session;
  };
  const deflating = await Promise.all([open(0), open(1)]);
  const received: unknown[] = [];
  for (const transport of ["polling", "websocket"]) {
    for (let i = 0; i < 4; i++) {
      const client = io(node.url, { forceNew: true, transports: [transport], reconnection: false });
      t.after(() => void client.disconnect());
      client.on("said", (value) => received.push(value));
      await client.timeout(10_000).emitWithAck("join", "room");
    }
  }
  const before = deflating.map(({ bytesRead }) => bytesRead);
  for (const [i, speaker] of deflating.entries()) {
    speaker.send(`42["say","room","${i} ${text}"]`);
    for (const session of deflating) assert.equal(await session.next(), `42["said","${i} ${text}"]`);
  }
  await waitFor(() => received.length === 16, { message: () => `16 messages; there were ${received.length}` });
  assert.deepEqual(new Set(received), new Set([`0 ${text}`, `1 ${text}`]));
  for (const [i, { bytesRead }] of deflating.entries())
    assert.ok(bytesRead - (before[i] ?? 0) < text.length, "two messages took fewer bytes than one of them has");
});
