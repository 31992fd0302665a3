/**
 * Stands still for some time when a client asks for it: first until every session's ping is due, so that all are sent in one turn, and then, with
 * those on their way, so long that the pongs come too late.
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
    socket.on("block", (ms) => {
      standStill(PINGS_DUE_MS);
      setTimeout(() => setImmediate(() => setImmediate(standStill, ms)), 1);
    });
  });
};
