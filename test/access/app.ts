/** The app of the tests of entry: users by name, an echo, a worker that stays busy on demand, the address that a session counts for. */
import type { App } from "../../src/apps/contract.js";

const app: App = (io, limpet) => {
  io.use((socket, next) => {
    const { user } = socket.handshake.auth as { user?: string };
    if (user === undefined) next();
    else limpet.admit(user).then(() => next(), next);
  });
  io.on("connection", (socket) => {
    socket.on("echo", (value: unknown, ack: (value: unknown) => void) => ack(value));
    // Always more to do than time: each turn takes 1,200 ms.
    socket.on("toil", (turns: number) => {
      const toil = (left: number): void => {
        const endMs = performance.now() + 1_200;
        while (performance.now() < endMs);
        if (left > 1) setImmediate(toil, left - 1);
      };
      toil(turns);
    });
  });
};

export default app;
