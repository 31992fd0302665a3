/** A client of the soak that speaks Engine.IO's and Socket.IO's bytes by itself: what it hears depends on no library. */
import { PollingSession, WebSocketSession } from "../../test/support/engine-client.js";
import type { Scope } from "../../test/support/children.js";
import { reconnectPause, type Client, type ClientOptions, type Said } from "./client.js";

/** Longer than the time between two pings. */
const SILENCE_MS = 60_000;
const JOIN_ACK = "431";

interface Connection {
  send(packet: string): void;
  /** The next packets. @throws Error where the connection has ended */
  receive(): Promise<readonly (string | Buffer)[]>;
}

export function rawClient({ port, room, ears }: ClientOptions, transport: "polling" | "websocket"): Client {
  const stopping = new AbortController();
  let connection: Connection | undefined;
  let joined = false;

  const take = (packet: string | Buffer): void => {
    // A binary event's attachment: its number stands in the event.
    if (typeof packet !== "string" || packet.startsWith("b")) return;
    if (packet === "2") connection?.send("3");
    else if (packet.startsWith(JOIN_ACK)) {
      joined = true;
      ears.joined((JSON.parse(packet.slice(JOIN_ACK.length)) as [number])[0]);
    } else if (packet.startsWith("42") || packet.startsWith("45")) {
      const [, message] = JSON.parse(packet.slice(packet.indexOf("["))) as [string, Said];
      ears.heard(message);
    } else if (packet === "1" || packet === "41") throw new Error("the server has closed the session");
  };

  /** One connection, from its handshake to its end. */
  const live = async (): Promise<never> => {
    const undo: (() => Promise<void> | void)[] = [];
    const end = (): void => {
      for (const close of undo.splice(0)) void close();
    };
    const scope: Scope = { after: (close) => undo.push(close) };
    stopping.signal.addEventListener("abort", end, { once: true });
    try {
      connection = transport === "polling" ? await openPolling(scope, port) : await openWebSocket(scope, port);
      connection.send(`421${JSON.stringify(["join", room])}`);
      for (;;) for (const packet of await connection.receive()) take(packet);
    } finally {
      stopping.signal.removeEventListener("abort", end);
      end();
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const reason = await live().catch((error: unknown) => String(error));
      if (joined) ears.cut(reason);
      joined = false;
      // Aborted: it was told to stop.
      await reconnectPause(stopping.signal).catch(() => undefined);
    }
  };
  const running = run();
  return {
    say: ({ from, n, text }) => connection?.send(`42${JSON.stringify(["say", room, { from, n, text }])}`),
    stop: async () => {
      joined = false;
      stopping.abort();
      await running;
    },
  };
}

async function openWebSocket(scope: Scope, port: number): Promise<Connection> {
  const session = await WebSocketSession.open(scope, { port });
  await session.joinMain();
  return {
    send: (packet) => session.send(packet),
    receive: async () => [await session.next(SILENCE_MS)],
  };
}

async function openPolling(scope: Scope, port: number): Promise<Connection> {
  const session = await PollingSession.open(scope, { port });
  await session.joinMain();
  let posting = Promise.resolve();
  const fail = (error: Error): void => void session.pollConnection.socket.destroy(error);
  return {
    // One POST after the other, as on one connection; one that fails ends the poll.
    send: (packet) => void (posting = posting.then(() => session.post(packet)).catch(fail)),
    receive: () => session.poll(SILENCE_MS),
  };
}
