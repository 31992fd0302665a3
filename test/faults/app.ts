/** The app of the tests under load: rooms, and acks that tell which process serves. */
import type { App } from "../../src/apps/contract.js";

const app: App = (io, limpet) => {
  io.on("connection", (socket) => {
    socket.on("join", async (room: string, ack: (pid: number) => void) => {
      await socket.join(room);
      ack(limpet.worker.pid);
    });
    socket.on("say", (room: string, from: number, n: number, ack: () => void) => {
      socket.to(room).emit("said", from, n);
      ack();
    });
  });
};

export default app;
