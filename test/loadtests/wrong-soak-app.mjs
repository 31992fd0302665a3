/**
 * Looks like the soak's app, and does what the soak is there to notice: it loses, repeats and delays messages; of node 1, the first worker keeps memory and
 * the second one ends.
 *
 * @param {import("socket.io").Server} io
 * @param {import("limpet").Limpet} limpet
 */
import { setInterval } from "node:timers";

export default function wrongSoakApp(io, limpet) {
  let messages = 0;
  const kept = [];
  if (limpet.node.id === 1 && limpet.worker.slot === 0) setInterval(() => kept.push(Buffer.alloc(2_000_000, 1)), 1_000);
  if (limpet.node.id === 1 && limpet.worker.slot === 1) setTimeout(() => process.exit(0), 15_000);
  io.on("connection", (socket) => {
    socket.on("join", async (room, acknowledge) => {
      await socket.join(room);
      acknowledge(limpet.node.id);
    });
    socket.on("say", (room, message) => {
      messages += 1;
      if (messages % 40 === 10) return;
      if (messages % 40 === 20) io.to(room).emit("said", message);
      if (messages % 40 === 30) setTimeout(() => io.to(room).emit("said", message), 3_000);
      else io.to(room).emit("said", message);
    });
  });
}
