/** Stands still when a client asks for it. `block`: as soon as the client has been told so. `stand still`: at once, with an ack afterwards. */
import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers";

function standStill(ms) {
  const endsAtMs = performance.now() + ms;
  while (performance.now() < endsAtMs);
}

export default (io) => {
  io.on("connection", (socket) => {
    socket.on("stand still", (ms, ack) => {
      standStill(ms);
      ack();
    });
    socket.on("block", (ms) => {
      socket.emit("standing still");
      setImmediate(() => setImmediate(standStill, ms));
    });
  });
};
