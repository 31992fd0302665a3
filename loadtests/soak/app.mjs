/**
 * What the soak's clients talk to: rooms, and messages to their members, the sender among them.
 *
 * @param {import("socket.io").Server} io
 * @param {import("limpet").Limpet} limpet
 */
export default function soakApp(io, limpet) {
  io.on("connection", (socket) => {
    socket.on("join", async (room, acknowledge) => {
      await socket.join(room);
      acknowledge(limpet.node.id);
    });
    socket.on("say", (room, message) => {
      io.to(room).emit("said", message);
    });
  });
}
