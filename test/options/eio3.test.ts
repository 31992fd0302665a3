import assert from "node:assert/strict";
import test from "node:test";
import { io } from "socket.io-client";
import type { RawConnection } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";
import { decodePayload, LegacyPolling, LegacyWebSocket, type LegacySession } from "./eio3-client.js";
import { compare, connectToSlot, handshake, seen, startWith, upgradeRequest, type Site } from "./sites.js";

const POLLING = "/socket.io/?EIO=3&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=3&transport=websocket";
/** What older clients without binary polling ask for. */
const BASE64 = "EIO=3&b64=1";

async function openPolling(
  site: Pick<Site, "port" | "connect">,
): Promise<{ opened: unknown; sid: string; session: LegacyPolling }> {
  const { response, sid, target } = await handshake(site, { query: BASE64 });
  const [open = "", ...rest] = decodePayload(response.text);
  const { sid: _sid, ...opened } = JSON.parse(open.slice(1)) as { sid: string };
  return { opened, sid, session: new LegacyPolling(target, await site.connect(sid), rest) };
}

const text = (packet: string | Buffer): string =>
  typeof packet === "string" ? packet : `binary ${packet.toString("hex")}`;

/** Events, acks, emoji and binary, and a ping of the client's. */
async function talk(session: LegacySession): Promise<string[]> {
  const heard = [];
  for (const packet of ["2", '421["echo","€ 🐚"]', '422["who"]', '423["repeat","ab",3]']) {
    await session.send(packet);
    heard.push(text(await session.next()).replace(/^432\[.\]/, "432[worker]"));
  }
  return heard;
}

const TALK = ["3", '431["€ 🐚"]', "432[worker]", '433["ababab"]'];

test("clients of Socket.IO 2 connect, talk, ping and upgrade as on a stock server", async (t) => {
  const { opened, first, polled, socketed, bytes } = await compare(t, { allowEIO3: true }, async (site) => {
    const { opened, sid, session } = await openPolling(site);
    const first = await session.next();
    const polled = await talk(session);
    await session.send('451-4["echo",{"_placeholder":true,"num":0}]');
    await session.send(`b4${Buffer.from([1, 2, 255]).toString("base64")}`);
    polled.push(await session.next(), await session.next());

    const upgrade = session.target.replace("transport=polling", "transport=websocket");
    const webSocket = await LegacyWebSocket.open(t, site.port, upgrade, await site.connect(sid));
    await webSocket.send("2probe");
    assert.equal(await webSocket.next(), "3probe");
    assert.equal(await session.next(), "6");
    await webSocket.send("5");
    const socketed = await talk(webSocket);
    await webSocket.send('451-5["echo",{"_placeholder":true,"num":0}]');
    await webSocket.send("b4AQL/");
    return { opened, first, polled, socketed, bytes: [text(await webSocket.next()), text(await webSocket.next())] };
  });
  assert.deepEqual(opened, { upgrades: ["websocket"], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1e6 });
  assert.equal(first, "40", "they are in the main namespace without asking");
  assert.deepEqual(polled, [...TALK, '461-4[{"_placeholder":true,"num":0}]', "b4AQL/"]);
  assert.deepEqual(socketed, TALK);
  assert.deepEqual(bytes, ['461-5[{"_placeholder":true,"num":0}]', "b4AQL/"]);
});

test("clients of Socket.IO 2 share rooms with today's on every worker", async (t) => {
  const node = await startWith(t, { allowEIO3: true });
  const legacy: LegacySession[] = [];
  for (const slot of [0, 1]) {
    const connection = await connectToSlot(t, node, slot);
    const webSocket = await LegacyWebSocket.open(t, node.port, WEBSOCKET, connection);
    assert.match(text(await webSocket.next()), /^0\{/);
    const connect = (): Promise<RawConnection> => connectToSlot(t, node, slot);
    legacy.push(webSocket, (await openPolling({ port: node.port, connect })).session);
  }
  for (const [i, session] of legacy.entries()) {
    assert.equal(await session.next(), "40");
    await session.send('420["who"]');
    assert.equal(await session.next(), `430[${i >> 1}]`);
    await session.send('421["join","room"]');
    assert.equal(await session.next(), "431[]");
  }
  const received: unknown[] = [];
  const client = io(node.url, { transports: ["websocket"], forceNew: true, reconnection: false });
  t.after(() => void client.disconnect());
  client.on("said", (value) => received.push(value));
  await client.timeout(10_000).emitWithAck("join", "room");

  for (const [i, speaker] of legacy.entries()) {
    await speaker.send(`42["say","room","🐚 ${i}"]`);
    for (const session of legacy) assert.equal(await session.next(), `42["said","🐚 ${i}"]`);
  }
  client.emit("say", "room", Buffer.from([7, 8]));
  for (const session of legacy) {
    assert.equal(await session.next(), '451-["said",{"_placeholder":true,"num":0}]');
    const bytes = await session.next();
    assert.equal(text(bytes), typeof bytes === "string" ? "b4Bwg=" : "binary 040708");
  }
  await waitFor(() => received.length === 5, { message: "five messages" });
  assert.deepEqual(received, ["🐚 0", "🐚 1", "🐚 2", "🐚 3", Buffer.from([7, 8])]);
});

test("a client of Socket.IO 2 that stops pinging is closed after both times", async (t) => {
  const options = { allowEIO3: true, pingInterval: 300, pingTimeout: 200 };
  const reason = await compare(t, options, async (site) => {
    const { sid, session } = await openPolling(site);
    const start = performance.now();
    for (let i = 0; i < 4; i++) await session.send("2");
    const reason = await site.closeReason(sid);
    assert.ok(performance.now() - start >= 500);
    return reason;
  });
  assert.equal(reason, "ping timeout");
});

async function refused(site: Site) {
  const answers = [];
  const requests = [
    { target: POLLING },
    { target: `${POLLING}&b64=1` },
    { target: "/socket.io/?transport=polling" },
    { target: "/socket.io/?EIO=5&transport=polling" },
    upgradeRequest(WEBSOCKET),
    upgradeRequest("/socket.io/?transport=websocket"),
  ];
  for (const request of requests) {
    const connection = await site.connect();
    const answer = await connection.request(request);
    if (answer.status === 101) await connection.waitForEnd();
    answers.push({ ...seen(answer), rest: connection.received.toString("latin1") });
  }
  return answers;
}

test("unless they are allowed, clients of Socket.IO 2 are refused with code 5, by WebSocket too", async (t) => {
  const answers = await compare(t, {}, refused);
  for (const { status, text } of answers.slice(0, 4))
    assert.deepEqual([status, text], [400, '{"code":5,"message":"Unsupported protocol version"}']);
  const sockets = answers.slice(4);
  assert.equal(sockets.length, 2);
  // Engine.IO notices after the WebSocket's handshake, so the refusal comes where a client expects frames.
  for (const { status, rest } of sockets) {
    assert.equal(status, 101);
    assert.match(rest, /^HTTP\/1\.1 400 Bad Request\r\n.*Unsupported protocol version$/s);
  }
});

test("a session of one protocol takes no request of the other", async (t) => {
  const answers = await compare(t, { allowEIO3: true }, async (site) => {
    const four = await handshake(site);
    const three = await handshake(site, { query: "EIO=3" });
    const ask = async (sid: string, target: string) => seen(await (await site.connect(sid)).request({ target }));
    return [
      await ask(four.sid, four.target.replace("EIO=4", "EIO=3")),
      await ask(three.sid, three.target.replace("EIO=3", "EIO=4")),
    ];
  });
  for (const { status, text } of answers) assert.deepEqual([status, text], [400, '{"code":3,"message":"Bad request"}']);
});
