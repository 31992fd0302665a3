// An app that trusts its clients: rooms are whatever they send.

/** @type {import("../../src/index.ts").App} */
export default function app(io) {
  io.on("connection", (socket) => {
    socket.on("join", (room, reply) => {
      socket.join(room);
      reply?.();
    });
    socket.on("leave", (room, reply) => {
      socket.leave(room);
      reply?.();
    });
    socket.on("publish", (room, message, reply) => {
      io.to(room).emit("published", message);
      reply?.();
    });
    socket.on("count", async (room, reply) => reply((await io.in(room).fetchSockets()).length));
    socket.on("move", (room, other, reply) => {
      io.in(room).socketsJoin(other);
      reply();
    });
    socket.on("echo", (value, reply) => reply(value));
  });
}
