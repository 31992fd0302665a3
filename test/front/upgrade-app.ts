/** An app with an upgrade listener of its own: `/echo` switches protocols and sends back what comes, `/late` does so after a moment. */
import type { Server as HttpServer } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { App } from "../../src/apps/contract.js";

const LATE_MS = 300;

const app: App = (io) => {
  io.on("connection", (socket) => {
    socket.on("echo", (value: unknown, ack: (value: unknown) => void) => ack(value));
  });
  (io.httpServer as HttpServer).on("upgrade", async (request, socket: Duplex) => {
    if (request.url === "/late") await delay(LATE_MS);
    else if (request.url !== "/echo") return;
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    socket.pipe(socket);
  });
};

export default app;
