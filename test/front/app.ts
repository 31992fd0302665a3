/** The app of the front's tests: echoes, tells who serves, blocks its worker on demand, and takes uploads. */
import { setTimeout as delay } from "node:timers/promises";
import type { App } from "../../src/apps/contract.js";

const app: App = (io, limpet) => {
  io.on("connection", (socket) => {
    socket.on("echo", (value: unknown, ack: (value: unknown) => void) => ack(value));
    socket.on("block", (blockMs: number) => {
      limpet.log.info({ blockMs }, "blocks");
      const endMs = performance.now() + blockMs;
      while (performance.now() < endMs);
    });
  });
  io.engine.on(
    "connection",
    (session: { id: string; once: (event: "close", listener: (reason: string) => void) => void }) =>
      session.once("close", (reason) => limpet.log.info({ sid: session.id, reason }, "session closed")),
  );
  limpet.http(async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    // An answer that comes when the client has been silent for a moment.
    if (request.url === "/later") await delay(200);
    response.end(JSON.stringify({ path: request.url, bytes, worker: limpet.worker.slot }));
  });
};

export default app;
