/**
 * The same exchange at a stock Socket.IO server, at a node, and at a node whose requests all come to a worker that does not hold the session:
 * whatever an option does, clients must see no difference.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { Server, type ServerOptions } from "socket.io";
import { createSid, parseSid, sidPrefix } from "../../src/routing/address.js";
import type { Scope } from "../support/children.js";
import { startNode, type NodeOptions, type TestNode } from "../support/node.js";
import { RawConnection, type RawRequest, type RawResponse } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";
import { answer, serve } from "./app.js";

export const APP = "test/options/app.ts";

/** As they stand in the file, under `socketio:`. */
export type Options = Partial<ServerOptions>;

export interface Site {
  readonly name: "stock" | "node" | "rescued";
  readonly port: number;
  /** A connection for the requests of a session, or of a new one. */
  connect(sid?: string): Promise<RawConnection>;
  /** Why a session ended; waits until it has. */
  closeReason(sid: string): Promise<string>;
}

/** Starts a node of 2 workers with those options in its file. */
export function startWith(scope: Scope, socketio: Options, options: NodeOptions = {}): Promise<TestNode> {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-options-"));
  scope.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "limpet.json");
  writeFileSync(file, JSON.stringify({ socketio }));
  return startNode({ app: APP, ...options, args: ["--config", file, ...(options.args ?? [])] }, scope);
}

/**
 * @param exchange what a client does, and what it saw: without anything that differs from session to session ({@link seen} helps)
 * @returns what was seen at each site, having been the same
 */
export async function compare<T>(scope: Scope, socketio: Options, exchange: (site: Site) => Promise<T>): Promise<T> {
  const node = await startWith(scope, socketio);
  const stock = await startStock(scope, socketio);
  const [expected, direct] = await Promise.all([exchange(stock), exchange(nodeSite(scope, node))]);
  assert.deepEqual(direct, expected, "a node answers as a stock server does");
  assert.equal(await forwarded(node), 0, "each request went to its owner at once");
  const { rescued, connections } = rescuedSite(scope, node, socketio.path);
  assert.deepEqual(await exchange(rescued), expected, "a node forwards requests and answers as they are");
  if (connections() > 0) assert.ok((await forwarded(node)) >= connections(), "each connection had a request forwarded");
  return expected;
}

/** Requests that a worker forwarded to another one. */
export function forwarded(node: TestNode): Promise<number> {
  return node.metric("limpet_rescues_total", { target: "worker", outcome: "forwarded" });
}

async function startStock(scope: Scope, options: Options): Promise<Site> {
  const server = createServer(answer);
  const io = new Server(server, options);
  const reasons = new Map<string, string>();
  serve(io, 0, (sid, reason) => reasons.set(sid, reason));
  // A transport that waits for its last poll holds this process up: not for the usual 30 s.
  io.engine.on(
    "connection",
    ({ transport }: { transport: { closeTimeout?: number } }) => (transport.closeTimeout = 5_000),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  scope.after(() => {
    // In that order at once: `io.close()` waits up to 30 s for the next poll of each session.
    io.engine.close();
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return {
    name: "stock",
    port,
    connect: () => RawConnection.open(scope, port),
    closeReason: async (sid) => String(await waitFor(() => reasons.get(sid), { message: "the session to end" })),
  };
}

function nodeSite(scope: Scope, node: TestNode): Site {
  return {
    name: "node",
    port: node.port,
    connect: () => RawConnection.open(scope, node.port),
    closeReason: async (sid) =>
      String((await node.waitForLog((line) => line.msg === "session closed" && line["sid"] === sid))["reason"]),
  };
}

function rescuedSite(scope: Scope, node: TestNode, path?: string): { rescued: Site; connections: () => number } {
  let connections = 0;
  const rescued: Site = {
    ...nodeSite(scope, node),
    name: "rescued",
    connect: async (sid) => {
      const address = sid === undefined ? undefined : parseSid(sid);
      if (address === undefined) return RawConnection.open(scope, node.port);
      connections++;
      return connectToSlot(scope, node, 1 - address.slot, path);
    },
  };
  return { rescued, connections: () => connections };
}

/** A connection that one worker of a node holds: its first request was for a session of that worker, which has never been. */
export async function connectToSlot(
  scope: Scope,
  { port }: TestNode,
  slot: number,
  path = "/socket.io",
): Promise<RawConnection> {
  const connection = await RawConnection.open(scope, port);
  const sid = createSid(sidPrefix({ node: 0, slot }));
  const enginePath = `${path.replace(/\/$/, "")}/`;
  const response = await connection.request({ target: `${enginePath}?EIO=4&transport=polling&sid=${sid}` });
  assert.equal(response.status, 400);
  return connection;
}

/** Headers about a connection's life, which limpet keeps longer; and the time. */
const INCIDENTAL = new Set(["date", "keep-alive"]);

export interface Seen {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** All of a response, but what differs from one to the next. */
export function seen({ status, headers, text }: RawResponse, sid?: string): Seen {
  const hide = (value: string): string => (sid === undefined ? value : value.replaceAll(sid, "SID"));
  const kept = Object.entries(headers).filter(([name]) => !INCIDENTAL.has(name));
  return {
    status,
    headers: Object.fromEntries(kept.map(([name, value]) => [name, hide(value)])),
    text: hide(text),
  };
}

/** A handshake, with its session's id and the target of its further requests. */
export async function handshake(
  { connect }: Pick<Site, "connect">,
  {
    path = "/socket.io/",
    query = "EIO=4",
    headers = {},
  }: { path?: string; query?: string } & Pick<RawRequest, "headers"> = {},
): Promise<{ response: RawResponse; sid: string; target: string }> {
  const connection = await connect();
  const target = `${path}?${query}&transport=polling`;
  const response = await connection.request({ target, headers });
  connection.close();
  const sid = /\\?"sid\\?":\\?"([\w-]+)/.exec(response.text)?.[1];
  if (sid === undefined) throw new Error(`the handshake was answered ${response.status}: ${response.text}`);
  return { response, sid, target: `${target}&sid=${sid}` };
}

/** A WebSocket handshake as it stands on the wire, with the same key each time. */
export function upgradeRequest(target: string, headers: RawRequest["headers"] = {}): RawRequest {
  return {
    target: target.replace("transport=polling", "transport=websocket"),
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": Buffer.alloc(16).toString("base64"),
      ...headers,
    },
  };
}
