/** Sessions, messages, requests that are refused: a node with one worker, and one with short heartbeats. */
import assert from "node:assert/strict";
import { packageVersion } from "../../src/lib/package-version.js";
import { PollingSession, WebSocketSession } from "../support/engine-client.js";
import { RawConnection, rawRequest, requestBytes, type RawRequest } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";
import { boundsGroup } from "./bounds-scenarios.js";
import { call, openClient } from "./clients.js";
import type { Group, Scenario } from "./scenario.js";

const APP = "test/metrics/app.ts";
const NODE_ID = "7";

const sessions: readonly Scenario[] = [
  {
    name: "a session is opened on each transport",
    moves: [
      { name: "limpet_sessions_opened_total", by: 2 },
      { name: "limpet_connections", labels: { transport: "polling", worker: "0" }, by: 1 },
      { name: "limpet_connections", labels: { transport: "websocket", worker: "0" }, by: 1 },
      { name: "limpet_handoff_seconds_count", by: 2 },
    ],
    run: async (node, t) => {
      await PollingSession.open(t, { port: node.port });
      await WebSocketSession.open(t, { port: node.port });
    },
  },
  {
    name: "a session is upgraded",
    moves: [
      { name: "limpet_upgrades_total", labels: { outcome: "completed" }, by: 1 },
      { name: "limpet_upgrades_total", labels: { outcome: "failed" }, by: 0 },
    ],
    run: async (node, t) => {
      const session = await PollingSession.open(t, { port: node.port });
      await session.joinMain();
      await session.upgrade();
    },
  },
  {
    name: "a client probes an upgrade and leaves it",
    moves: [{ name: "limpet_upgrades_total", labels: { outcome: "failed" }, by: 1 }],
    run: async (node, t) => {
      const session = await PollingSession.open(t, { port: node.port });
      const probe = await WebSocketSession.attach(t, { port: node.port }, session.handshake);
      probe.send("2probe");
      assert.equal(await probe.next(), "3probe");
      await probe.close();
    },
  },
  {
    name: "a client closes its WebSocket",
    moves: [{ name: "limpet_sessions_closed_total", labels: { reason: "transport_close" }, by: 1 }],
    run: async (node, t) => (await openClient(t, node)).close(),
  },
  {
    name: "a client's poll is cut off",
    moves: [{ name: "limpet_sessions_closed_total", labels: { reason: "transport_error" }, by: 1 }],
    run: async (node, t) => {
      const session = await PollingSession.open(t, { port: node.port });
      const poll = await RawConnection.open(t, node.port);
      await poll.write(requestBytes({ target: session.target }));
      // The worker has the poll once it answers what it was asked after it.
      await session.post("40");
      await poll.readResponse();
      await poll.write(requestBytes({ target: session.target }));
      await session.post("3");
      poll.close();
    },
  },
  {
    name: "the app drops a client",
    moves: [{ name: "limpet_sessions_closed_total", labels: { reason: "forced_close" }, by: 1 }],
    run: async (node, t) => (await openClient(t, node)).send('42["drop"]'),
  },
  {
    name: "a client sends what is no packet",
    moves: [{ name: "limpet_sessions_closed_total", labels: { reason: "parse_error" }, by: 1 }],
    run: async (node, t) => (await openClient(t, node)).send("x"),
  },
  {
    name: "messages pass both ways",
    moves: [
      { name: "limpet_messages_received_total", by: 5 },
      { name: "limpet_messages_sent_total", by: 5 },
      { name: "limpet_bytes_received_total" },
      { name: "limpet_bytes_sent_total" },
    ],
    run: async (node, t) => {
      const session = await WebSocketSession.open(t, { port: node.port });
      session.send("40");
      const joined = String(await session.next());
      const event = `21["join","ä"]`;
      for (let i = 0; i < 4; i++) await call(session, "join", "ä");
      // Engine.IO's own type character is not part of the message.
      return [
        { name: "limpet_bytes_received_total", by: 1 + 4 * Buffer.byteLength(event) },
        { name: "limpet_bytes_sent_total", by: joined.length - 1 + 4 * "31[]".length },
      ];
    },
  },
  refusal("unknown_transport", { target: "/socket.io/?EIO=4&transport=pigeon" }),
  refusal("unknown_sid", { target: "/socket.io/?EIO=4&transport=polling&sid=nobody" }),
  refusal("bad_handshake_method", { target: "/socket.io/?EIO=4&transport=polling", body: "40" }),
  refusal("bad_request", { target: "/socket.io/?EIO=4&transport=websocket" }),
  refusal("forbidden", { target: "/socket.io/?EIO=4&transport=polling", headers: { "X-Forbidden": "1" } }, 403),
  refusal("unsupported_protocol_version", { target: "/socket.io/?EIO=3&transport=polling" }),
  {
    name: "the app's HTTP listener throws",
    moves: [{ name: "limpet_app_errors_total", by: 1 }],
    run: async (node, t) => assert.equal((await rawRequest(t, node.port, { target: "/anything" })).status, 500),
  },
  frontRefusal("request_line_too_long", `GET /${"x".repeat(1_100)} HTTP/1.1\r\n`, 414),
  frontRefusal("request_line_timeout", "GET /half", 408),
  frontRefusal("not_http", "hello\r\n", 400),
  {
    name: "the event loop of the worker stands still",
    moves: [{ name: "limpet_event_loop_lag_seconds_sum", labels: { worker: "0" }, atLeast: 0.4 }],
    run: async (node, t) => (await openClient(t, node)).send('42["block",1000]'),
  },
];

const heartbeats: readonly Scenario[] = [
  {
    name: "the node says what it is",
    moves: [],
    run: async (node) => {
      const version = packageVersion();
      assert.equal(await node.metric("limpet_build_info", { version, node: NODE_ID }), 1);
    },
  },
  {
    name: "a client does not answer pings",
    moves: [
      { name: "limpet_ping_timeouts_total", labels: { cause: "client_gone" }, by: 1 },
      { name: "limpet_ping_timeouts_total", labels: { cause: "server_late" }, by: 0 },
      { name: "limpet_sessions_closed_total", labels: { reason: "ping_timeout" }, by: 1 },
    ],
    run: async (node, t) => {
      const silent = await openClient(t, node);
      await waitFor(() => silent.closed);
    },
  },
  {
    name: "no pong comes, and the worker was busy while it was due",
    moves: [
      { name: "limpet_ping_timeouts_total", labels: { cause: "server_late" }, by: 1 },
      { name: "limpet_ping_timeouts_total", labels: { cause: "client_gone" }, by: 0 },
    ],
    run: async (node, t) => {
      const session = await openClient(t, node);
      assert.equal(await session.next(), "2");
      session.send('42["block",2500]');
      await waitFor(() => session.closed);
    },
  },
];

function refusal(code: string, request: RawRequest, status = 400): Scenario {
  return {
    name: `a request is refused: ${code}`,
    moves: [{ name: "limpet_handshake_errors_total", labels: { code }, by: 1 }],
    run: async (node, t) => assert.equal((await rawRequest(t, node.port, request)).status, status),
  };
}

function frontRefusal(reason: string, bytes: string, status: number): Scenario {
  return {
    name: `a connection is refused: ${reason}`,
    moves: [{ name: "limpet_front_refusals_total", labels: { reason }, by: 1 }],
    run: async (node, t) => {
      const connection = await RawConnection.open(t, node.port);
      await connection.write(bytes);
      assert.equal((await connection.readResponse()).status, status);
    },
  };
}

export const sessionGroups: readonly Group[] = [
  {
    node: {
      app: APP,
      workers: 1,
      env: { LIMPET_FRONT_REQUEST_LINE_TIMEOUT_MS: "1000", LIMPET_FRONT_MAX_REQUEST_LINE_BYTES: "1024" },
    },
    scenarios: sessions,
  },
  {
    node: {
      app: APP,
      workers: 1,
      args: ["--node-id", NODE_ID],
      env: { LIMPET_SOCKETIO_PING_INTERVAL: "500", LIMPET_SOCKETIO_PING_TIMEOUT: "1000" },
    },
    scenarios: heartbeats,
  },
  boundsGroup,
];
