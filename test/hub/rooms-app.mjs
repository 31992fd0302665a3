// Joins and publishes: the same app for limpet and for what it is measured against.
export default function app(io) {
  io.on("connection", (socket) => {
    socket.on("join", (room, reply) => {
      socket.join(room);
      reply();
    });
    socket.on("publish", (room, message) => io.to(room).emit("published", message));
  });
}
