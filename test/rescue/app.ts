/** The app of the tests of rescue between nodes: echoes, and logs how each request of Engine.IO that asks for it looks from here. */
import type { IncomingMessage } from "node:http";
import type { App } from "../../src/apps/contract.js";

const app: App = (io, limpet) => {
  io.engine.use((request: IncomingMessage, _response: unknown, next: () => void) => {
    const mark = request.headers["x-mark"];
    if (mark !== undefined) {
      const { remoteAddress, remoteFamily } = request.socket;
      const names = request.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
      const via = request.headers["x-forwarded-for"];
      const distinct = request.headersDistinct["x-forwarded-for"];
      limpet.log.info({ mark, remoteAddress, remoteFamily, via, distinct, names }, "request seen");
    }
    next();
  });
  limpet.http((request, response) => void response.end(`the app's answer to ${request.method} ${request.url}`));
  io.on("connection", (socket) => {
    socket.on("echo", (value: unknown, ack: (value: unknown) => void) => ack(value));
    socket.on("address", (ack: (address: string) => void) => ack(socket.handshake.address));
    socket.on("bytes", (count: number) => void socket.emit("bytes", "x".repeat(count)));
  });
};

export default app;
