/** What the tests of the transports share: a server in this process on either write path, and a look at what it writes. */
import assert from "node:assert/strict";
import type { Socket as TcpSocket } from "node:net";
import test, { type TestContext } from "node:test";
import type { Socket } from "socket.io";
import type { WebSocketInternals } from "../../src/worker/internals.js";
import { WebSocketSession } from "../support/engine-client.js";
import { waitFor } from "../support/wait.js";
import {
  startGatedServer,
  WRITE_PATHS,
  type GatedServer,
  type WritePath,
  type Writing,
} from "../worker/gated-server.js";

/** What holds whichever transport writes. */
export function onBoth(
  name: string,
  check: (t: TestContext, writing: { writePath: WritePath }) => Promise<void>,
): void {
  for (const writePath of WRITE_PATHS) test(`${name} (${writePath})`, (t) => check(t, { writePath }));
}

export interface Pair {
  readonly server: GatedServer;
  readonly client: WebSocketSession;
  /** The server's end. */
  readonly socket: Socket;
}

/** A server with one client that has joined the main namespace over WebSocket. */
export async function startPair(
  t: TestContext,
  { options = {}, ...writing }: Writing & { readonly options?: Record<string, unknown> } = {},
): Promise<Pair> {
  const server = await startGatedServer(t, options, writing);
  const client = await WebSocketSession.open(t, { port: server.port });
  const id = await client.joinMain();
  const socket = server.io.of("/").sockets.get(id);
  assert.ok(socket !== undefined);
  // Until what the handshake wrote is confirmed, the stock transport takes nothing.
  await waitFor(() => socket.conn.transport.writable);
  return { server, client, socket };
}

/** The WebSocket under a socket, and the connection under that. */
export function beneath(socket: Socket): { readonly webSocket: WebSocketInternals; readonly tcp: TcpSocket } {
  const { socket: webSocket } = socket.conn.transport as unknown as { readonly socket: WebSocketInternals };
  return { webSocket, tcp: webSocket._socket };
}
