/** The app of the tests of upgrades: echoes, and tells its heap once the garbage is collected. */
import type { App } from "../../src/apps/contract.js";

const app: App = (io) => {
  io.on("connection", (socket) => {
    socket.on("echo", (value: unknown, ack: (value: unknown) => void) => ack(value));
    socket.on("heap", (ack: (bytes: number) => void) => {
      if (globalThis.gc === undefined) throw new Error("start the worker with --expose-gc");
      globalThis.gc();
      ack(process.memoryUsage().heapUsed);
    });
  });
};

export default app;
