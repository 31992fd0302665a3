/** Clients over each of their bounds, at a node with small ones. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { PollingSession } from "../support/engine-client.js";
import type { TestNode } from "../support/node.js";
import { RawConnection, requestBytes } from "../support/raw-http.js";
import { waitFor } from "../support/wait.js";
import { call, openClient } from "./clients.js";
import type { Group, Move, Scenario } from "./scenario.js";

/** More than the kernel keeps for a connection whose other end does not read. */
const LARGE_BYTES = 30_000_000;

const BOUNDS = {
  LIMPET_SOCKETIO_MAX_HTTP_BUFFER_SIZE: "10000",
  LIMPET_CLIENT_MAX_BUFFERED_BYTES: "100000",
  LIMPET_CLIENT_MAX_BUFFERED_PACKETS: "50",
  LIMPET_CLIENT_MAX_EVENTS_PER_SECOND: "1",
  LIMPET_CLIENT_MAX_EVENTS_BURST: "8",
  LIMPET_CLIENT_MAX_ROOMS: "2",
  LIMPET_CLIENT_MAX_NAMESPACES: "2",
  LIMPET_CLIENT_MAX_PENDING_ACKS: "1",
  LIMPET_CLIENT_MAX_PACKETS_PER_POST: "3",
};

async function openPolling(t: TestContext, node: TestNode): Promise<PollingSession> {
  const session = await PollingSession.open(t, { port: node.port });
  await session.joinMain();
  return session;
}

const refused = (reason: string): Move => ({ name: "limpet_client_refusals_total", labels: { reason }, by: 1 });
const cutOff = (cause: string): Move[] => [
  { name: "limpet_slow_consumers_total", labels: { cause }, by: 1 },
  { name: "limpet_sessions_closed_total", labels: { reason: "slow_consumer" }, by: 1 },
];

/** A client that sends one packet which is refused. */
function badPacket(reason: string, packet: string): Scenario {
  return {
    name: `a client sends a packet that is refused: ${reason}`,
    moves: [refused(reason)],
    run: async (node, t) => {
      const session = await openClient(t, node);
      session.send(packet);
      await waitFor(() => session.closed);
    },
  };
}

const scenarios: readonly Scenario[] = [
  {
    name: "too many bytes wait for a client that does not poll",
    moves: cutOff("bytes"),
    run: async (node, t) => (await openPolling(t, node)).post('42["flood",3,60000]'),
  },
  {
    name: "too many packets wait for a client that does not poll",
    moves: cutOff("packets"),
    run: async (node, t) => (await openPolling(t, node)).post('42["flood",51,1]'),
  },
  {
    name: "a client polls again and does not read what it is answered",
    moves: cutOff("unread_answers"),
    run: async (node, t) => {
      const session = await openPolling(t, node);
      const unread = await RawConnection.open(t, node.port);
      unread.socket.pause();
      await unread.write(requestBytes({ target: session.target }));
      await session.post(`42["flood",1,${LARGE_BYTES}]`);
      const next = await RawConnection.open(t, node.port);
      await next.write(requestBytes({ target: session.target }));
      await session.post('42["flood",1,1]');
      await waitFor(() => next.ended);
    },
  },
  {
    name: "a volatile message is for a client between two polls",
    moves: [{ name: "limpet_volatile_dropped_total", by: 1 }],
    run: async (node, t) => (await openPolling(t, node)).post('42["volatile"]'),
  },
  {
    name: "a message is too long, by WebSocket",
    moves: [refused("message_too_long")],
    run: async (node, t) => {
      const session = await openClient(t, node);
      session.send(`42["${"x".repeat(10_000)}"]`);
      await waitFor(() => session.closed);
    },
  },
  {
    name: "a message is too long, by polling",
    moves: [refused("message_too_long")],
    run: async (node, t) => {
      const session = await openPolling(t, node);
      const { status } = await session.request({ method: "POST", body: `42["${"x".repeat(10_000)}"]` });
      assert.equal(status, 413);
    },
  },
  {
    name: "a POST holds too many packets",
    moves: [
      refused("too_many_packets"),
      { name: "limpet_sessions_closed_total", labels: { reason: "parse_error" }, by: 1 },
    ],
    run: async (node, t) => {
      const session = await openPolling(t, node);
      await session.post("3", "3", "3");
      // The session ends while the POST is answered.
      await session.post("3", "3", "3", "3").catch(() => undefined);
    },
  },
  {
    name: "a socket sends more events than it may, again and again",
    moves: [{ name: "limpet_client_refusals_total", labels: { reason: "too_many_events" } }, refused("event_flood")],
    run: async (node, t) => {
      const session = await openClient(t, node);
      for (let n = 0; n < 40; n++) session.send('42["nothing"]');
      await waitFor(() => session.closed);
    },
  },
  {
    name: "a socket joins one room too many, and the handler waits for it",
    moves: [refused("too_many_rooms"), { name: "limpet_worker_restarts_total", by: 0 }],
    run: async (node, t) => {
      const session = await openClient(t, node);
      await call(session, "join", "a");
      await call(session, "join", "b");
      session.send('429["join","c"]');
      await call(session, "join", "b");
    },
  },
  {
    name: "a connection joins one namespace too many",
    moves: [refused("too_many_namespaces")],
    run: async (node, t) => {
      const session = await openClient(t, node);
      session.send("40/n1,");
      assert.match(String(await session.next()), /^40\/n1,/);
      session.send("40/n2,");
      assert.equal(await session.next(), '44/n2,{"message":"Too many namespaces"}');
    },
  },
  {
    name: "a client owes one ack too many",
    moves: [refused("too_many_acks")],
    run: async (node, t) => {
      const session = await openClient(t, node);
      session.send('42["ask"]');
      session.send('42["ask"]');
    },
  },
  badPacket("too_many_attachments", '4511-["x"]'),
  badPacket("too_deep", `42["x",${"[".repeat(600)}${"]".repeat(600)}]`),
  badPacket("invalid_packet", "4x"),
];

export const boundsGroup: Group = { node: { app: "test/metrics/app.ts", workers: 1, env: BOUNDS }, scenarios };
