/**
 * What the fleet's measurements run on limpet and on the recipe alike: members join a room and publish to it.
 *
 * @param {import("socket.io").Server} io
 */
export default function fleetApp(io) {
  io.on("connection", (socket) => {
    socket.on("join", (room, acknowledge) => {
      socket.join(room);
      acknowledge();
    });
    socket.on("publish", (room, message) => {
      io.to(room).emit("message", message);
    });
  });
}
