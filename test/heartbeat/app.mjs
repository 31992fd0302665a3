/**
 * Stands still when a client asks for it. `block`: first until every session's ping is due, so that all are sent in one turn, and then, with those on
 * their way, so long that the pongs come too late. `stand still`: at once, wherever each session's heartbeat is.
 */
import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers";

const PINGS_DUE_MS = 500;

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
      standStill(PINGS_DUE_MS);
      setTimeout(() => setImmediate(() => setImmediate(standStill, ms)), 1);
    });
  });
};
