/**
 * The client's check of itself against a running server with loadtests/app.mjs: every feature, over every transport.
 * The thresholds fail when a single expectation does, and also when fewer cases ran than there are.
 */
import { Counter } from "k6/metrics";
import { delay, expect, expectBytes, failureOf, next, PATIENCE_MS, until } from "./check-support.ts";
import { Client, type ClientOptions, connect } from "./lib/client.ts";
import type { TransportMode } from "./lib/engine.ts";
import { ConnectError, type Acknowledge, type Socket } from "./lib/socket.ts";
import { targetUrl } from "./lib/target.ts";

const URL = targetUrl();
const MODES: readonly TransportMode[] = ["polling", "upgrade", "websocket"];

type Case = (mode: TransportMode) => Promise<void>;

const CASES: Readonly<Record<string, Case>> = {
  "connects by its transport": connectsByTransport,
  "sends query, headers and auth": sendsHandshake,
  "echoes text of every kind": echoesText,
  "echoes binary, alone and inside objects": echoesBinary,
  "sends more than fits in one request": sendsInParts,
  "gets events with several arguments": getsEvents,
  "answers the server's questions": answers,
  "gives up on an acknowledgement that does not come": givesUp,
  "keeps the order of events": keepsOrder,
  "reaches a room": reachesRoom,
  "is let into a namespace, and refused": entersNamespace,
  "shares one connection between namespaces": sharesConnection,
  "sees the server's disconnect, and can return": seesDisconnect,
  "comes back by itself after a loss": comesBack,
  "stays while the server pings": stays,
  "says goodbye": saysGoodbye,
  "is told when nobody listens": failsToConnect,
};

const passed = new Counter("check_cases_passed");
const failed = new Counter("check_cases_failed");
const wanted = Object.keys(CASES).length * MODES.length;

export const options = {
  scenarios: {
    check: { executor: "shared-iterations", vus: 1, iterations: 1, maxDuration: "90s", gracefulStop: "1s" },
  },
  thresholds: {
    check_cases_passed: [`count==${wanted}`],
    check_cases_failed: ["count==0"],
    // The errors that the cases provoke, once per transport, and no other.
    socketio_errors: [`count==${3 * MODES.length}`],
    "socketio_errors{reason:ack_timeout}": [`count==${MODES.length}`],
    "socketio_errors{reason:connect_error}": [`count==${MODES.length}`],
    "socketio_errors{reason:transport}": [`count==${MODES.length}`],
    "socketio_disconnects{reason:io_server_disconnect}": [`count==${MODES.length}`],
    "socketio_disconnects{reason:transport_close}": [`count==${MODES.length}`],
    "socketio_disconnects{reason:ping_timeout}": ["count==0"],
  },
};

export default async function check(): Promise<void> {
  // k6 does not judge a metric without samples.
  passed.add(0);
  for (const mode of MODES) {
    await Promise.all(Object.entries(CASES).map(([name, run]) => runCase(`${mode}: ${name}`, run(mode))));
  }
}

async function runCase(name: string, running: Promise<void>): Promise<void> {
  try {
    await running;
    passed.add(1);
  } catch (error) {
    failed.add(1);
    console.error(`FAILED ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}

async function connectsByTransport(mode: TransportMode): Promise<void> {
  await withSocket(mode, async (socket) => {
    await settle(socket, mode);
    expect(socket.transport, mode === "polling" ? "polling" : "websocket");
    const seen = await socket.emitWithAck<{ transport: string }>("describe");
    expect(seen.transport, socket.transport);
  });
}

async function sendsHandshake(mode: TransportMode): Promise<void> {
  const options = { query: { room: "ä & ö" }, headers: { "X-Check": "yes" }, auth: { token: "t", n: 1 } };
  await withSocket(
    mode,
    async (socket) => {
      const seen = await socket.emitWithAck<{ query: { room: string }; header: string; auth: unknown }>("describe");
      expect([seen.query.room, seen.header, seen.auth], ["ä & ö", "yes", { token: "t", n: 1 }]);
    },
    options,
  );
}

async function echoesText(mode: TransportMode): Promise<void> {
  const values = ["", "ä€😀\u001e\u0000", 0, -1.5, true, null, [], {}, { a: [1, { b: "c" }] }, "x".repeat(100_000)];
  await withSocket(mode, async (socket) => {
    for (const value of values) expect(await socket.emitWithAck("echo", value), value);
  });
}

async function echoesBinary(mode: TransportMode): Promise<void> {
  const bytes = new Uint8Array(1_000).map((_, index) => index % 256);
  await withSocket(mode, async (socket) => {
    expectBytes(await socket.emitWithAck("echo", bytes.buffer), bytes);
    expectBytes(await socket.emitWithAck("echo", bytes.subarray(100, 200)), bytes.slice(100, 200));
    expectBytes(await socket.emitWithAck("echo", new ArrayBuffer(0)), new Uint8Array(0));
    const echoed = await socket.emitWithAck<{ deep: [ArrayBuffer, string, ArrayBuffer] }>("echo", {
      deep: [bytes.buffer, "between", bytes.subarray(1)],
    });
    expectBytes(echoed.deep[0], bytes);
    expect(echoed.deep[1], "between");
    expectBytes(echoed.deep[2], bytes.slice(1));
    const [text, binary] = await next(socket, "bounced", () => {
      socket.emit("bounce", "with bytes", bytes);
    });
    expect(text, "with bytes");
    expectBytes(binary, bytes);
  });
}

/** 20 × 200 kB is four times the server's limit for one request; each of them alone is below it. */
async function sendsInParts(mode: TransportMode): Promise<void> {
  await withSocket(mode, async (socket) => {
    const text = "€".repeat(66_000);
    const echoes = Array.from({ length: 20 }, (_, index) => socket.emitWithAck<string>("echo", text + String(index)));
    const lengths = (await Promise.all(echoes)).map((echo) => echo.length);
    expect(Math.min(...lengths), 66_001);
  });
}

async function getsEvents(mode: TransportMode): Promise<void> {
  await withSocket(mode, async (socket) => {
    const args = await next(socket, "bounced", () => {
      socket.emit("bounce", 1, "two", { three: [3] });
    });
    expect(args, [1, "two", { three: [3] }]);
  });
}

async function answers(mode: TransportMode): Promise<void> {
  await withSocket(mode, async (socket) => {
    socket.on("question", (text: string, bytes: ArrayBuffer, acknowledge: Acknowledge) => {
      acknowledge(text.toUpperCase(), bytes);
      acknowledge("a second answer must not leave");
    });
    const bytes = new Uint8Array([1, 2, 3]);
    const reply = await socket.emitWithAck<[string, ArrayBuffer]>("ask me", PATIENCE_MS, ["why", bytes]);
    expect(reply[0], "WHY");
    expectBytes(reply[1], bytes);
    socket.off("question");
    expect(await socket.emitWithAck("ask me", 50, ["and now?"]), "no answer");
  });
}

async function givesUp(mode: TransportMode): Promise<void> {
  await withSocket(mode, async (socket) => {
    const startedMs = Date.now();
    const error = await failureOf(socket.timeout(200).emitWithAck("silence"));
    expect(error.message, 'no acknowledgement of "silence" within 200 ms');
    expect(Date.now() - startedMs >= 199, true);
    expect(await socket.emitWithAck("echo", "still here"), "still here");
  });
}

async function keepsOrder(mode: TransportMode): Promise<void> {
  await withSocket(mode, async (socket) => {
    const seen: number[] = [];
    socket.on("bounced", (n: number) => {
      seen.push(n);
    });
    const sent = Array.from({ length: 200 }, (_, index) => index);
    for (const n of sent) socket.emit("bounce", n);
    await until("200 events", () => seen.length === 200);
    expect(seen, sent);
  });
}

async function reachesRoom(mode: TransportMode): Promise<void> {
  const room = `check-${mode}-${Date.now()}`;
  await withSocket(mode, async (speaker) => {
    await withSocket(mode, async (member) => {
      await withSocket(mode, async (stranger) => {
        let overheard = 0;
        stranger.on("message", () => {
          overheard += 1;
        });
        await member.emitWithAck("join", room);
        const publish = async (n: number): Promise<unknown[]> => {
          let acknowledged: Promise<unknown> | undefined;
          const message = await next(member, "message", () => {
            acknowledged = speaker.emitWithAck("publish", room, { n });
          });
          await acknowledged;
          return message;
        };
        expect(await publish(1), [{ n: 1 }]);
        await member.emitWithAck("leave", room);
        await member.emitWithAck("join", room);
        expect(await publish(2), [{ n: 2 }]);
        expect(overheard, 0);
      });
    });
  });
}

async function entersNamespace(mode: TransportMode): Promise<void> {
  const refused = new Client(URL, { transport: mode }).socket("/private", { token: "please" });
  const error = await failureOf(refused.connect());
  if (!(error instanceof ConnectError)) throw error;
  expect([error.message, error.data], ["wrong token", { hint: "open …" }]);
  expect(refused.connected, false);

  await withClient(mode, async (client) => {
    const welcome = client.socket("/private", { token: "open sesame" });
    await welcome.connect();
    expect(await welcome.emitWithAck("whoami"), "/private");
  });
}

async function sharesConnection(mode: TransportMode): Promise<void> {
  await withClient(mode, async (client) => {
    const main = client.socket();
    const other = client.socket("/private", { token: "open sesame" });
    await Promise.all([main.connect(), other.connect()]);
    const session = client.id;
    expect([await main.emitWithAck("echo", 1), await other.emitWithAck("whoami")], [1, "/private"]);
    main.disconnect();
    expect(await other.emitWithAck("whoami"), "/private");
    expect([client.id, main.connected, other.connected], [session, false, true]);
    other.disconnect();
    expect(client.id, undefined);
  });
}

async function seesDisconnect(mode: TransportMode): Promise<void> {
  await withSocket(mode, async (socket) => {
    await settle(socket, mode);
    const reason = await next(socket, "disconnect", () => {
      socket.emit("leave me");
    });
    expect([reason, socket.connected], [["io_server_disconnect"], false]);
    await socket.connect();
    expect(await socket.emitWithAck("echo", "back"), "back");
  });
}

async function comesBack(mode: TransportMode): Promise<void> {
  const reconnection = { delayMs: 50, attempts: 20 };
  await withSocket(
    mode,
    async (socket) => {
      await settle(socket, mode);
      const before = socket.id;
      const pending = failureOf(socket.emitWithAck("silence"));
      const reason = await next(socket, "disconnect", () => {
        socket.emit("cut me off");
      });
      expect([reason, (await pending).message], [["transport_close"], "disconnected: transport_close"]);
      // Sent while away: it waits for the connection.
      expect(await socket.emitWithAck("echo", "again"), "again");
      expect([socket.connected, socket.id === before], [true, false]);
    },
    { reconnection },
  );
}

/** Longer than a server that hears no pong keeps us, if its ping interval and timeout are 3.5 s together. */
async function stays(mode: TransportMode): Promise<void> {
  await withSocket(mode, async (socket) => {
    let lost = "";
    socket.on("disconnect", (reason: string) => {
      lost = reason;
    });
    await delay(4_500);
    expect(lost, "");
    expect(await socket.emitWithAck("echo", "alive"), "alive");
  });
}

async function saysGoodbye(mode: TransportMode): Promise<void> {
  const socket = await connect(URL, { transport: mode });
  const reason = await next(socket, "disconnect", () => {
    socket.disconnect();
  });
  expect([reason, socket.connected, socket.id], [["io_client_disconnect"], false, undefined]);
}

async function failsToConnect(mode: TransportMode): Promise<void> {
  // The discard port: nothing of ours listens there.
  const error = await failureOf(connect("http://127.0.0.1:9", { transport: mode }));
  expect(error.message, "the connection ended: transport_error");
}

/** A server that ends a session in the middle of an upgrade makes the upgrade fail, and rightly so. */
async function settle(socket: Socket, mode: TransportMode): Promise<void> {
  if (mode === "upgrade") await until("the upgrade", () => socket.transport === "websocket");
}

async function withSocket(
  mode: TransportMode,
  use: (socket: Socket) => Promise<void>,
  options: ClientOptions = {},
): Promise<void> {
  const socket = await connect(URL, { ackTimeoutMs: PATIENCE_MS, ...options, transport: mode });
  try {
    await use(socket);
  } finally {
    socket.disconnect();
  }
}

async function withClient(mode: TransportMode, use: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client(URL, { transport: mode, ackTimeoutMs: PATIENCE_MS });
  try {
    await use(client);
  } finally {
    client.close();
  }
}
