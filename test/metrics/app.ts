/** The app of the metrics' tests: whatever a client must be able to make a worker do. */
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { App } from "../../src/apps/contract.js";

const app: App = async (io, limpet) => {
  await misbehaveAtSecondStart(limpet.worker.slot);

  io.engine.opts.allowRequest = (request, decide) => decide(null, request.headers["x-forbidden"] === undefined);
  io.of(/^\/n\d+$/);
  io.on("connection", (socket) => {
    socket.on("join", async (room: string, ack: () => void) => {
      await socket.join(room);
      ack();
    });
    socket.on("publish", (room: string, payload: string, ack: () => void) => {
      socket.to(room).emit("published", payload);
      ack();
    });
    socket.on("flood", (messages: number, bytes: number) => {
      for (let left = messages; left > 0; left--) socket.emit("flood", "x".repeat(bytes));
    });
    socket.on("volatile", () => void socket.volatile.emit("volatile"));
    socket.on("ask", () => socket.emit("ask", () => undefined));
    socket.on("drop", () => socket.disconnect(true));
    socket.on("block", (ms: number) => {
      const until = performance.now() + ms;
      while (performance.now() < until);
    });
    socket.on("throw", () => {
      throw new Error("thrown on request");
    });
  });
  limpet.http(() => {
    throw new Error("thrown on request");
  });
};

/** What the first worker of each slot leaves for the next one, where the test names a folder for it. */
async function misbehaveAtSecondStart(slot: number): Promise<void> {
  const { TEST_MARKERS: folder, TEST_SECOND_START: how } = process.env;
  if (folder === undefined) return;
  const marker = path.join(folder, String(slot));
  if (!existsSync(marker)) writeFileSync(marker, "");
  else if (how === "hang") await new Promise(() => setInterval(() => undefined, 60_000));
  else throw new Error("this worker does not start twice");
}

export default app;
