/** The app of the storm: an echo. */
import type { App } from "../../src/apps/contract.js";

const app: App = (io) => {
  io.on("connection", (socket) => {
    socket.on("echo", (value: unknown, ack: (value: unknown) => void) => ack(value));
  });
};

export default app;
