import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { io } from "socket.io-client";
import { WebSocketSession } from "../support/engine-client.js";
import type { RawConnection } from "../support/raw-http.js";
import { within } from "../support/wait.js";
import { compare, handshake, seen, type Site } from "./sites.js";

const SEPARATOR = "\u001e";

interface Told {
  readonly upgrades: string[];
  readonly pingInterval: number;
  readonly pingTimeout: number;
  readonly maxPayload: number;
}

/** A WebSocket for a session, on a connection of the site's. */
async function attach(scope: test.TestContext, site: Site, sid: string): Promise<WebSocketSession> {
  const told = { sid, upgrades: [], pingInterval: 0, pingTimeout: 0, maxPayload: 0 };
  return WebSocketSession.attach(scope, { port: site.port }, told, (await site.connect(sid)).socket);
}

const closeOf = async ({ socket }: WebSocketSession): Promise<number> => {
  const [code] = (await within(once(socket, "close"), 10_000, "the WebSocket to close")) as [number];
  return code;
};

test("the handshake tells a client the configured times and the longest message", async (t) => {
  const options = { pingInterval: 1234, pingTimeout: 567, maxHttpBufferSize: 4321 };
  const tolds = await compare(t, options, async (site) => {
    const { response } = await handshake(site);
    const webSocket = await WebSocketSession.open(t, { port: site.port });
    return [JSON.parse(response.text.slice(1)) as Told, webSocket.handshake].map(({ ...told }) => ({
      ...told,
      sid: "SID",
    }));
  });
  const told = { sid: "SID", pingInterval: 1234, pingTimeout: 567, maxPayload: 4321 };
  assert.deepEqual(tolds, [
    { ...told, upgrades: ["websocket"] },
    { ...told, upgrades: [] },
  ]);
});

test("a POST as long as allowed is taken, one beyond is refused with 413, and its connection goes on", async (t) => {
  const MAX = 2_000;
  const ofLength = (length: number): string => `420["echo","${"x".repeat(length - 14)}"]`;
  const answers = await compare(t, { maxHttpBufferSize: MAX }, async (site) => {
    const { sid, target } = await handshake(site);
    const connection = await site.connect(sid);
    await connection.request({ target, body: "40" });
    await connection.request({ target });
    const answers = [];
    for (const body of [ofLength(MAX), ofLength(MAX + 1), "€".repeat(MAX / 2), ofLength(100)])
      answers.push(seen(await connection.request({ target, body })));
    return { sizes: [ofLength(MAX).length, ofLength(MAX + 1).length], answers };
  });
  assert.deepEqual(answers.sizes, [MAX, MAX + 1]);
  assert.deepEqual(
    answers.answers.map(({ status }) => status),
    [200, 413, 413, 200],
  );
});

test("a WebSocket message beyond the longest ends the session with 1009", async (t) => {
  const { echoed, code, reason } = await compare(t, { maxHttpBufferSize: 2_000 }, async (site) => {
    const session = await WebSocketSession.open(t, { port: site.port });
    await session.joinMain();
    const text = "x".repeat(2_000 - 14);
    session.send(`421["echo","${text}"]`);
    const echoed = (await session.next()) === `431["${text}"]`;
    session.send(`421["echo","${text}x"]`);
    return { echoed, code: await closeOf(session), reason: await site.closeReason(session.sid) };
  });
  assert.deepEqual({ echoed, code, reason }, { echoed: true, code: 1009, reason: "transport error" });
});

test("a client that joins no namespace is closed after connectTimeout, one that does stays", async (t) => {
  const CONNECT_MS = 400;
  const outcome = await compare(t, { connectTimeout: CONNECT_MS }, async (site) => {
    const started = performance.now();
    const joined = await WebSocketSession.open(t, { port: site.port });
    await joined.joinMain();
    const silent = await handshake(site);
    const connection = await site.connect(silent.sid);
    const socket = await WebSocketSession.open(t, { port: site.port });
    const [poll, code] = await Promise.all([connection.request({ target: silent.target }), closeOf(socket)]);
    const tookMs = performance.now() - started;
    assert.ok(tookMs >= CONNECT_MS && tookMs < 5_000, `it took ${tookMs} ms`);
    const after = seen(await (await site.connect(silent.sid)).request({ target: silent.target }));
    joined.send('421["echo",1]');
    const echo = await joined.next();
    const reasons = [await site.closeReason(silent.sid), await site.closeReason(socket.sid)];
    return { poll: seen(poll), code, after, echo, reasons };
  });
  assert.equal(outcome.poll.text, "1");
  assert.deepEqual([outcome.after.status, outcome.code, outcome.echo], [400, 1005, "431[1]"]);
  assert.deepEqual(outcome.reasons, ["forced close", "forced close"]);
});

test("a client is pinged at the interval and closed when it has not answered in time", async (t) => {
  const { packets, reasons } = await compare(t, { pingInterval: 300, pingTimeout: 400 }, async (site) => {
    const silent = await handshake(site);
    const connection = await site.connect(silent.sid);
    const first = (await connection.request({ target: silent.target })).text;
    const socket = await WebSocketSession.open(t, { port: site.port });
    const packets = [first, await socket.next()];
    const code = await closeOf(socket);
    return { packets, code, reasons: [await site.closeReason(silent.sid), await site.closeReason(socket.sid)] };
  });
  assert.deepEqual(packets, ["2", "2"]);
  assert.deepEqual(reasons, ["ping timeout", "ping timeout"]);
});

test("clients that answer pings stay through many of them, by either transport and over forwarded requests", async (t) => {
  const text = await compare(t, { pingInterval: 100, pingTimeout: 2_000 }, async (site) => {
    const { sid, target } = await handshake(site);
    const connection = await site.connect(sid);
    const answerPings = async (): Promise<string> => {
      await connection.request({ target, body: "40" });
      let pings = 0;
      while (pings < 6) {
        const packets = (await connection.request({ target })).text.split(SEPARATOR);
        if (!packets.includes("2")) continue;
        pings++;
        await connection.request({ target, body: "3" });
      }
      await connection.request({ target, body: '421["echo",1]' });
      return lastEvent(connection, target);
    };
    const socket = io(`http://127.0.0.1:${site.port}`, {
      transports: ["websocket"],
      forceNew: true,
      reconnection: false,
    });
    t.after(() => void socket.disconnect());
    let pings = 0;
    socket.io.on("ping", () => pings++);
    const polled = await answerPings();
    while (pings < 6) await within(new Promise<void>((resolve) => socket.io.once("ping", resolve)), 5_000, "a ping");
    return { polled, socketed: (await socket.timeout(5_000).emitWithAck("echo", 2)) as unknown };
  });
  assert.deepEqual(text, { polled: "431[1]", socketed: 2 });
});

/** The next packet that is no ping, with the pings answered. */
async function lastEvent(connection: RawConnection, target: string): Promise<string> {
  for (;;) {
    const packets = (await connection.request({ target })).text.split(SEPARATOR);
    const event = packets.find((packet) => packet !== "2");
    if (event !== undefined) return event;
    await connection.request({ target, body: "3" });
  }
}

test("an upgrade that is not completed in time is closed, and the session goes on by polling", async (t) => {
  const UPGRADE_MS = 300;
  const outcome = await compare(t, { upgradeTimeout: UPGRADE_MS }, async (site) => {
    const { sid, target } = await handshake(site);
    const connection = await site.connect(sid);
    await connection.request({ target, body: "40" });
    await connection.request({ target });
    const codes = [];
    for (const probes of [false, true]) {
      const started = performance.now();
      const socket = await attach(t, site, sid);
      if (probes) {
        socket.send("2probe");
        assert.equal(await socket.next(), "3probe");
      }
      codes.push(await closeOf(socket));
      assert.ok(performance.now() - started >= UPGRADE_MS - 1);
    }
    await connection.request({ target, body: '421["echo",1]' });
    const echo = (await connection.request({ target })).text;
    const late = await attach(t, site, sid);
    late.send("2probe");
    assert.equal(await late.next(), "3probe");
    const noop = (await connection.request({ target })).text;
    late.send("5");
    late.send('422["echo",2]');
    return { codes, echo, noop, upgraded: await late.next() };
  });
  assert.deepEqual(outcome, { codes: [1005, 1005], echo: "431[1]", noop: "6", upgraded: "432[2]" });
});
