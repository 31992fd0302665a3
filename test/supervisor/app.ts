/** The app of the supervisor's tests: it ends, throws or blocks its worker on demand. */
import type { App } from "../../src/apps/contract.js";

const app: App = (io) => {
  io.on("connection", (socket) => {
    socket.on("exit", (code: number) => process.exit(code));
    socket.on("throw", () => {
      throw new Error("thrown on demand");
    });
    socket.on("reject", () => {
      void Promise.reject(new Error("rejected on demand"));
    });
    socket.on("block", () => {
      for (;;);
    });
    socket.on("echo", (value: unknown, ack: (value: unknown) => void) => ack(value));
  });
};

export default app;
