/**
 * What the measurements run on each server that has Socket.IO: clients join rooms, publish to them, and have things echoed.
 *
 * @param {import("socket.io").Server} io
 */
export default function benchApp(io) {
  io.on("connection", (socket) => {
    socket.on("join", (room, acknowledge) => {
      socket.join(room);
      acknowledge();
    });
    socket.on("publish", (room, message) => {
      io.to(room).emit("message", message);
    });
    socket.on("echo", (message, acknowledge) => {
      acknowledge(message);
    });
  });
}
