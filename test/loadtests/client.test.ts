import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import { runK6 } from "../support/k6.js";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

test("the client passes its own check against a real node, over every transport", async (t) => {
  const node = await startNode(
    // One thread of k6 has all cases to do at once, so pongs may come late.
    { app: "loadtests/app.mjs", env: { LIMPET_SOCKETIO_PING_INTERVAL: "500" } },
    t,
  );
  const { code, output } = await runK6("loadtests/check.ts", { LOAD_URL: node.url });
  assert.equal(code, 0, output);
  // It says goodbye properly: no session is left for the server to find dead.
  await waitFor(async () => (await node.metric("limpet_connections")) === 0, { message: "every session to be closed" });
});

test("the check fails when the server answers wrongly", async (t) => {
  const node = await startNode({ app: "test/loadtests/wrong-app.mjs" }, t);
  const { code, output } = await runK6("loadtests/check.ts", { LOAD_URL: node.url });
  assert.equal(code, 99, output);
  for (const name of ["echoes text of every kind", "reaches a room", "keeps the order of events"]) {
    for (const mode of ["polling", "upgrade", "websocket"]) assert.match(output, new RegExp(`FAILED ${mode}: ${name}`));
  }
});

test("the client ends a connection on which no ping comes", async (t) => {
  const server = await startSilentServer();
  t.after(() => {
    server.close();
  });
  const { code, output } = await runK6("test/loadtests/silent.k6.ts", { LOAD_URL: server.url });
  assert.equal(code, 0, output);
});

/** Engine.IO up to the namespace's CONNECT, over both transports, and nothing after it. */
async function startSilentServer(): Promise<{ readonly url: string; readonly close: () => void }> {
  const handshake = JSON.stringify({
    sid: "silent",
    upgrades: [],
    pingInterval: 400,
    pingTimeout: 300,
    maxPayload: 1_000_000,
  });
  const connected = '40{"sid":"silent"}';
  let poll: ServerResponse | undefined;
  let isAsked = false;
  // The poll and the POST come on two connections, in either order.
  const answer = (): void => {
    if (isAsked) poll?.end(connected);
  };
  const http = createServer((request, response) => {
    if (request.url?.includes("sid=") !== true) response.end(`0${handshake}`);
    else if (request.method === "GET") {
      // The first is answered with the namespace; a later one waits for what never comes, until a goodbye gets it out of the way.
      const isFirst = poll === undefined;
      poll = response;
      if (isFirst) answer();
    } else {
      request.resume().on("end", () => {
        response.end("ok");
        isAsked = true;
        answer();
      });
    }
  });
  const sockets = new WebSocketServer({ server: http });
  sockets.on("connection", (socket: WebSocket) => {
    socket.send(`0${handshake}`);
    socket.once("message", () => {
      socket.send(connected);
    });
  });
  await new Promise<void>((resolve) => {
    http.listen(0, "127.0.0.1", resolve);
  });
  const close = (): void => {
    sockets.close();
    http.close();
    http.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, close };
}
